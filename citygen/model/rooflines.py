"""Lines and points that mappers draw on a roof: ridges, edges and apexes, as they pass between stages."""

from dataclasses import dataclass

from citygen.arraytypes import Float64


@dataclass(frozen=True, slots=True)
class RoofLines:
    """
    What was drawn on one roof.

    Attributes
    ----------
    ridges, edges : tuple of (k, 2) float64
        Polylines of two vertices or more, plan coordinates relative to the building's origin, metres; finite.
    apexes : (k, 2) float64
        Points, likewise.
    """

    ridges: tuple[Float64, ...]
    edges: tuple[Float64, ...]
    apexes: Float64

    def __len__(self) -> int:
        return len(self.ridges) + len(self.edges) + len(self.apexes)
