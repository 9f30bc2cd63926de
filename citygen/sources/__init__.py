"""Vector files to batches of ids, geometries and raw attributes: one file a format."""
