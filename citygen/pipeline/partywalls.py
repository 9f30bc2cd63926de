"""Certified solids of a tile and of what lies beside it to shared wall areas, and to solids without their hidden walls."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.model.meshes import Meshes
from citygen.pipeline.guests import PARTY_M
from citygen.solids.opened import Hidden, open_walls
from citygen.solids.party import PartyWalls, joined, party_walls, pieces


@dataclass(frozen=True, slots=True)
class SharedWalls:
    """
    Party walls of a tile.

    Attributes
    ----------
    shared_m2 : (n,) float64
        Area of each row's walls that stand against walls of other buildings; 0 where none does.
    walls : PartyWalls
        All contacts, those between the parts of one building too.
    meshes : Meshes
        The solids that they were found on.
    """

    shared_m2: Float64
    walls: PartyWalls
    meshes: Meshes

    def opened(self, meshes: Meshes) -> Meshes:
        """
        Leave hidden walls out.

        Parameters
        ----------
        meshes : Meshes
            Solids of some of the rows, the faces that walls were found on first in each.

        Returns
        -------
        Meshes
            The same solids, open where they stand against others.
        """
        here = np.isin(self.meshes.solid_row[self.walls.solids[0]], meshes.solid_row)
        wall, piece = joined(*pieces(self.walls, np.flatnonzero(here)))
        planes = self.walls.planes
        solid = planes.solid[wall]
        # a row's solids are in the same order in both
        first_was, first_is = (
            np.searchsorted(m.solid_row, np.arange(m.solid_row.max(initial=0) + 2)) for m in (self.meshes, meshes)
        )
        row = self.meshes.solid_row[solid]
        now = first_is[row] + solid - first_was[row]
        face = meshes.solid_faces[now] + planes.face[wall] - self.meshes.solid_faces[solid]
        hidden = Hidden(face, now, piece, planes.start[wall], planes.along[wall])
        return open_walls(meshes, hidden)


def shared_walls(meshes: Meshes, own: Bool, group: Int64) -> SharedWalls:
    """
    Find the party walls of a tile.

    Parameters
    ----------
    meshes : Meshes
        Solids of n rows, in their order.
    own : (n,) bool
        Rows of the tile itself.
    group : (n,) int64
        The building of each row: parts of one have no party walls with each other.

    Returns
    -------
    SharedWalls
    """
    walls = party_walls(meshes, own[meshes.solid_row], PARTY_M)
    building = group[meshes.solid_row]
    one, other = walls.solids
    area = walls.areas(building[one] != building[other])
    return SharedWalls(np.bincount(meshes.solid_row, weights=area, minlength=len(own)).astype(float), walls, meshes)
