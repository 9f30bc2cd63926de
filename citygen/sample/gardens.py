"""A block to villas in gardens, with their garages and sheds, along the streets that bound it."""

import numpy as np

from citygen.arraytypes import Bool, Float64
from citygen.sample.footprint import Footprint
from citygen.sample.frontage import inset
from citygen.sample.shapes import l_shape, put, rectangle, t_shape, u_shape


def villas(
    ring: Float64,
    corner: Bool,
    rng: np.random.Generator,
    *,
    plot_m: tuple[float, float] = (17.0, 23.0),
    built: Bool | None = None,
) -> list[Footprint]:
    """
    Place villas along the inside of a block.

    Parameters
    ----------
    ring : (m, 2) float64
        The block's edge along its streets, counter-clockwise; metres.
    corner : (m,) bool
        Which vertices are street corners; plots keep away from them.
    rng : numpy.random.Generator
        Advanced by the call.
    plot_m : pair of float
        Least and most width of a plot along the street.
    built : (m,) bool, optional
        Which edges are streets with villas; all by default.

    Returns
    -------
    list of Footprint
        Each villa followed by what stands on its plot.
    """
    front = inset(ring, 5.0)
    edges = np.roll(front, -1, axis=0) - front
    lengths = np.sqrt((edges**2).sum(axis=1))
    out: list[Footprint] = []
    for edge, length in enumerate(lengths):
        if built is not None and not built[edge]:
            continue
        low = 13.0 if corner[edge] else 1.0
        high = length - (13.0 if corner[(edge + 1) % len(front)] else 1.0)
        plots = int((high - low) // rng.uniform(*plot_m))
        if plots < 1:
            continue
        pitch = (high - low) / plots
        angle = float(np.degrees(np.arctan2(edges[edge, 1], edges[edge, 0])))
        for k in range(plots):
            if rng.uniform() < 0.07:
                continue
            plot = _plot(pitch, rng)
            at = front[edge] + edges[edge] / length * (low + k * pitch)
            turn = angle + rng.uniform(-2.5, 2.5)
            out += [Footprint(kind, put(shape[None], at, turn)[0]) for kind, shape in plot]
    return out


def _plot(width: float, rng: np.random.Generator) -> list[tuple[str, Float64]]:
    """Furnish a plot in its own frame: x along the street from 0 to ``width``, y into the garden."""
    house = _villa(rng)
    wide, deep = house.max(axis=0)
    back = rng.uniform(0.0, 3.5)
    left = rng.uniform(1.0, max(1.2, min(5.0, width - wide - 5.0)))
    things = [("villa", house + np.array([left, back]))]
    free = width - left - wide - 1.0
    chance = rng.uniform()
    if chance < 0.3 and free > 3.2:  # a garage against the house
        things.append(("garage", rectangle(3.0, 5.5)[0] + np.array([left + wide, back + 0.8])))
    elif chance < 0.55 and free > 4.6:  # one by the street
        things.append(("garage", rectangle(3.1, 6.0)[0] + np.array([width - 4.1, rng.uniform(-2.5, 2.0)])))
    if rng.uniform() < 0.12:
        x, y = rng.uniform(1.0, width - 4.0), back + deep + rng.uniform(3.0, 6.0)
        things.append(("shed", rectangle(rng.uniform(2.0, 3.2), rng.uniform(2.0, 3.6))[0] + np.array([x, y])))
    return things


def _villa(rng: np.random.Generator) -> Float64:
    """Draw a villa: mostly a rectangle, else an L, T or U; (m, 2) float64, metres."""
    wide, deep = rng.uniform(9.0, 13.5), rng.uniform(8.0, 11.0)
    chance = rng.uniform()
    if chance < 0.5:
        return np.asarray(rectangle(wide, deep)[0])
    arm, bar = wide * rng.uniform(0.4, 0.55), deep * rng.uniform(0.6, 0.75)
    if chance < 0.8:
        ring = l_shape(wide, deep + 2.0, arm, bar)[0]
        return np.asarray(ring if rng.uniform() < 0.5 else _mirrored(ring))
    if chance < 0.93:
        return np.asarray(t_shape(wide, deep + 2.5, arm, bar)[0])
    return np.asarray(u_shape(wide + 2.0, deep + 2.0, wide * 0.32, bar)[0])


def _mirrored(ring: Float64) -> Float64:
    """Mirror a ring left to right, still counter-clockwise, in the same box."""
    turned = ring[::-1].copy()
    turned[:, 0] = ring[:, 0].max() - turned[:, 0]
    return turned


def yard_sheds(ring: Float64, depth_m: float, rng: np.random.Generator) -> list[Footprint]:
    """
    Scatter sheds and workshops over the yards behind the houses of a block.

    Parameters
    ----------
    ring : (m, 2) float64
        The block's edge, counter-clockwise; metres.
    depth_m : float
        Where the yards begin, from the edge.
    rng : numpy.random.Generator
        Advanced by the call.

    Returns
    -------
    list of Footprint
        Some may stand in a wing of a house: leave those out.
    """
    inner = inset(ring, depth_m)
    out = []
    for _ in range(2):
        corner, other = rng.integers(0, len(inner), 2)
        side = inner[(corner + 1) % len(inner)] - inner[corner]
        at = inner[corner] + side * rng.uniform(0.1, 0.9) + (inner[other] - inner[corner]) * rng.uniform(0.0, 0.35)
        shape = rectangle(rng.uniform(3.0, 7.0), rng.uniform(2.5, 4.5))
        out.append(Footprint("shed", put(shape, at, float(np.degrees(np.arctan2(side[1], side[0]))))[0]))
    return out


def ribbon(road: Float64, rng: np.random.Generator, *, width_m: float = 7.0) -> list[Footprint]:
    """
    Line both sides of a road with villas.

    Parameters
    ----------
    road : (k, 2) float64
        Its middle; metres.
    rng : numpy.random.Generator
        Advanced by the call.
    width_m : float
        Of the road.

    Returns
    -------
    list of Footprint
        The left side, then the right side.
    """
    out: list[Footprint] = []
    for line in (road, road[::-1]):
        along = line[-1] - line[0]
        away = 400.0 * np.array([-along[1], along[0]]) / np.sqrt((along**2).sum())
        ring = np.concatenate([line, [line[-1] + away, line[0] + away]])
        widths = np.full(len(ring), width_m / 2)
        built = np.arange(len(ring)) < len(line) - 1
        out += villas(inset(ring, widths), np.zeros(len(ring), dtype=bool), rng, built=built, plot_m=(18.0, 27.0))
    return out
