"""DEMs to the height of the ground under each footprint; terrain and vertical datums follow here."""
