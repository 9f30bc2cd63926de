"""
Rings and spokes to street blocks: the plan of a hill town that grew outwards from its market square.

Ring streets run around the hill top at growing distances, lanes climb between them and wind as they do; what lies
between two rings and two lanes, less half a street on each side, is a block.
"""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Bool, Float64
from citygen.sample.frontage import inset

RADII_M = (50.0, 96.0, 153.0, 219.0, 291.0, 360.0)
_LANES = (7, 9, 12, 13, 13)
_RING_STREET_M = (8.0, 8.0, 8.0, 9.0, 9.0, 7.0)
_LANE_M = (4.5, 5.5, 8.0, 9.0, 8.0)
_MAIN_STREET_M = 12.0


@dataclass(frozen=True, slots=True)
class Block:
    """
    One block between streets.

    Attributes
    ----------
    band : int
        0 around the market square, growing outwards.
    number : int
        Counter-clockwise within the band, from the east.
    ring : (m, 2) float64
        Its edge along the streets, counter-clockwise; metres, local frame.
    corner : (m,) bool
        Which vertices are street corners.
    """

    band: int
    number: int
    ring: Float64
    corner: Bool

    @property
    def centre(self) -> Float64:
        """Mean of its vertices; (2,) float64."""
        return np.asarray(self.ring.mean(axis=0))


def blocks(seed: int) -> list[Block]:
    """
    Lay out the town's blocks.

    Parameters
    ----------
    seed : int
        Changes where the lanes lie.

    Returns
    -------
    list of Block
        Band by band, counter-clockwise within each.
    """
    out: list[Block] = []
    for band, lanes in enumerate(_LANES):
        rng = np.random.default_rng([seed, band])
        angles = (np.arange(lanes) + rng.uniform(-0.2, 0.2, lanes) + 0.37 * band) * (2 * np.pi / lanes)
        angles[0] = 0.12  # the main street climbs from the east
        angles[1:] = np.sort(np.clip(angles[1:] % (2 * np.pi), 0.12 + 4.0 / lanes, 2 * np.pi + 0.12 - 4.0 / lanes))
        bends = rng.uniform(-0.06, 0.06, lanes)
        out += [_block(band, number, angles, bends) for number in range(lanes)]
    return out


def street_point(ring: float, angle: Float64) -> Float64:
    """
    Place a point of the plan in the local frame.

    Parameters
    ----------
    ring : float
        Ring number; fractions lie between rings.
    angle : (n,) float64
        Radians around the hill top.

    Returns
    -------
    (n, 2) float64
        Metres, local frame.
    """
    radius = np.interp(ring, np.arange(len(RADII_M)), RADII_M)
    wide = (
        1.0 + 0.025 * (ring + 1.5) * np.cos(2 * angle - 0.9 + 0.2 * ring) + 0.055 * np.cos(3 * angle + 1.0 + 0.5 * ring)
    )
    wide = wide + 0.03 * np.cos(5 * angle + 1.7 * ring) + 0.015 * np.cos(9 * angle + 2.6 * ring)
    turned = angle + 0.0017 * radius + 0.05 * np.sin(0.02 * radius)
    return np.column_stack(
        [1.16 * radius * wide * np.cos(turned) - 5.0 * ring, radius * wide * np.sin(turned) + 4.0 * ring]
    )


def _block(band: int, number: int, angles: Float64, bends: Float64) -> Block:
    """Trace one block: inner ring street backwards, lane out, outer ring street, lane in; then cut off the streets."""
    lanes = len(angles)
    first, last = angles[number], angles[(number + 1) % lanes]
    last = last + (2 * np.pi if number + 1 == lanes else 0.0)
    outer = street_point(band + 1, np.linspace(first, last, _pieces(band + 1, last - first) + 1))
    inner = street_point(band, np.linspace(last, first, _pieces(band, last - first) + 1))
    mid_out = street_point(band + 0.5, np.array([first + bends[number]]))
    mid_in = street_point(band + 0.5, np.array([last + bends[(number + 1) % lanes]]))
    ring = np.concatenate([inner[-1:], mid_out, outer[:-1], outer[-1:], mid_in, inner[:-1]])
    n_out, n_in = len(outer) - 1, len(inner) - 1
    lane = [_MAIN_STREET_M if k % lanes == 0 else _LANE_M[band] for k in (number, number + 1)]
    widths = [lane[0]] * 2 + [_RING_STREET_M[band + 1]] * n_out + [lane[1]] * 2 + [_RING_STREET_M[band]] * n_in
    corner = np.zeros(len(ring), dtype=bool)
    corner[[0, 2, 2 + n_out, 4 + n_out]] = True
    return Block(band, number, inset(ring, np.array(widths) / 2), corner)


def _pieces(ring: int, angle: float) -> int:
    """Return into how many straight pieces a ring street is cut along one block."""
    return max(1, min(3, round(1.08 * RADII_M[ring] * angle / 34.0)))
