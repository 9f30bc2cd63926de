"""One file a format: scenes to bytes, tiles to the files over them."""
