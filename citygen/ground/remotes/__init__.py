"""DEMs that are not files of this machine, one file a kind: name or URL and an area to raster files in the cache."""
