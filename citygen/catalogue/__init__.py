"""What became of each footprint to files, and back."""
