"""The order of things: plan (sources to tiles on disk), tile (one tile to files), finish (files over all tiles)."""
