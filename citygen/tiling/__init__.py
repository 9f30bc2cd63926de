"""One file a grid: which tile a place belongs to, and what a tile covers."""
