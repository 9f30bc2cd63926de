"""Roof words and numbers to roof surfaces: one file a shape, families that draw them, a plan that settles the heights."""
