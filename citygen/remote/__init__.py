"""URLs and buckets to bytes and cached files: the one room that opens network connections, and only for asked-for URLs."""
