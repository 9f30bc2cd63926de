"""Footprints and roofs to closed solids, and an independent verdict on them."""
