"""Sources to what they hold and what a build would do with them; entry: ``inspect.inspect_sources``. Nothing is written."""
