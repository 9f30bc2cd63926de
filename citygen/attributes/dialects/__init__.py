"""One file a dialect: how one family of sources words its attributes."""
