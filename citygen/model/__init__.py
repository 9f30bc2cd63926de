"""The values that pass between rooms: small, frozen, slotted."""
