"""One file a roof shape: numbers, aliases and parameters; the family it names draws it."""
