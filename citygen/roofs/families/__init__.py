"""One file a family: how the shapes of one construction are drawn over many polygons at once."""
