"""A stage in, a picture out, by ray casting (embreex): sun shadows, ambient openness, smoothed edges, thin outlines."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from citygen.arraytypes import AnyArray, Bool, Float32, Float64, Int32, Int64
from citygen.preview.sampling import PATTERN, around, disc, hemispheres, subpixels
from citygen.preview.shading import Hits, Stage, backdrop, locate, open_ambient, shade
from citygen.preview.surfaces import GROUND, NOTHING, Surfaces

BLOCK_PIXELS = 1 << 15  # pixels worked on at once: some 60 MB of rays and hits a thread
THREADS = 2  # the tracer holds the interpreter lock, array work does not: two threads overlap them
BAND_ROWS = 64
PENUMBRA_RAYS = 8
OUTLINED_M = 0.9  # metres a pixel beyond which outlines fade: a far town would be all lines


class _EmbreeScene(Protocol):
    def run(
        self, origins: Float32, directions: Float32, dists: Float32 | None = None, query: str = "INTERSECT"
    ) -> Int32: ...


@dataclass(frozen=True, slots=True)
class _Buffers:
    """What each pixel's centre sees: (h, w) triangle and surface numbers, distances, sun share, (h, w, 2) openness."""

    triangle: Int32
    surface: Int32
    distance: Float32
    sun: Float32
    ambient: Float32


@dataclass(frozen=True, slots=True)
class _Caster:
    """A stage with its ray tracer and its directions."""

    stage: Stage
    scene: _EmbreeScene
    hemispheres: Float64

    def first(self, rays: Float64) -> Int64:
        """Return (n,) int64: the triangle that each ray from the camera hits first, or -1."""
        origins = np.broadcast_to(self.stage.view.origin.astype(np.float32), rays.shape)
        return self.scene.run(np.ascontiguousarray(origins), rays.astype(np.float32)).astype(np.int64)

    def open(self, origins: Float64, directions: Float64, reach: float) -> Bool:
        """Return (n,) bool: nothing stands in the way within `reach` metres."""
        far = np.full(len(origins), reach, np.float32)
        hit = self.scene.run(origins.astype(np.float32), directions.astype(np.float32), dists=far, query="OCCLUDED")
        clear: Bool = hit == -1
        return clear


def cast(stage: Stage) -> Float64:
    """
    Draw a stage.

    Parameters
    ----------
    stage : Stage
        Surfaces, view and style.

    Returns
    -------
    (h, w, 3) float64
        Linear colours, 0 to 1; the same for the same stage, whatever the number of processors.
    """
    width, height = stage.view.size
    caster = _Caster(stage, _embree(stage.surfaces), hemispheres(max(stage.style.ambient_rays, 1)))
    seen = _Buffers(
        triangle=np.full((height, width), -1, np.int32),
        surface=np.full((height, width), NOTHING, np.int32),
        distance=np.full((height, width), np.inf, np.float32),
        sun=np.full((height, width), -1.0, np.float32),
        ambient=np.zeros((height, width, 2), np.float32),
    )
    _in_blocks(lambda span: _see(caster, seen, span), height * width, BLOCK_PIXELS)
    sun = seen.sun.copy()
    if stage.style.shadows:
        half = np.flatnonzero(_differs(seen.sun, seen.sun >= 0.0).ravel())
        _in_blocks(lambda span: _soften(caster, seen.triangle, sun, half[slice(*span)]), len(half), BLOCK_PIXELS)
    ambient = np.empty_like(seen.ambient)
    _in_blocks(lambda span: _smooth(seen, ambient, span), height, BAND_ROWS)
    lit = _Buffers(seen.triangle, seen.surface, seen.distance, sun, ambient)
    image = np.zeros((height * width, 3))
    _in_blocks(lambda span: _colour(caster, lit, image, span), height * width, BLOCK_PIXELS)
    if stage.style.antialias:
        edge = np.flatnonzero(_edges(lit, stage.view.pixel_m).ravel())
        whole = image.copy()
        _in_blocks(lambda span: _refine(caster, lit, (whole, image), edge[slice(*span)]), len(edge), BLOCK_PIXELS)
    return image.reshape(height, width, 3)


def _embree(surfaces: Surfaces) -> _EmbreeScene:
    """Build the tracer's tree over all triangles."""
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    scene: _EmbreeScene = EmbreeScene(robust=True)
    TriangleMesh(scene, surfaces.vertices.astype(np.float32), surfaces.triangles.astype(np.int32))
    # the first query commits the tree: do it before threads share it
    scene.run(np.zeros((1, 3), np.float32), np.array([[0.0, 0.0, 1.0]], np.float32))
    return scene


def _in_blocks(work: Callable[[tuple[int, int]], None], count: int, block: int) -> None:
    """Call `work` on spans of 0 to `count`; each writes to its own span only, so their order does not matter."""

    def spans() -> Iterator[tuple[int, int]]:
        for start in range(0, count, block):
            yield start, min(start + block, count)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(work, spans()):
            pass


def _see(caster: _Caster, seen: _Buffers, span: tuple[int, int]) -> None:
    """Fill the buffers of a span: one ray through each centre, one to the sun, some around."""
    width = caster.stage.view.size[0]
    pixel = np.arange(*span)
    rays = caster.stage.view.rays(pixel % width + 0.5, pixel // width + 0.5)
    triangle = caster.first(rays)
    hit = np.flatnonzero(triangle >= 0)
    hits = locate(caster.stage, triangle[hit], rays[hit])
    at = pixel[hit]
    seen.triangle.reshape(-1)[at] = triangle[hit]
    seen.surface.reshape(-1)[at] = caster.stage.surfaces.surface[triangle[hit]]
    seen.distance.reshape(-1)[at] = hits.distance
    seen.sun.reshape(-1)[at] = _sunlit(caster, hits)
    rank = PATTERN[(at // width) % 4, at % width % 4]
    seen.ambient.reshape(-1, 2)[at] = _ambient(caster, hits, caster.hemispheres[rank])


def _lifted(hits: Hits) -> Float64:
    """Return the points moved off their surface, by more than float32 loses at their distance."""
    lift = 0.02 + 1e-6 * np.abs(hits.point).max(axis=1, initial=0.0)
    lifted: Float64 = hits.point + hits.facing * lift[:, None]
    return lifted


def _sunlit(caster: _Caster, hits: Hits) -> Float64:
    """Return (n,) float64: 1 where the sun is seen, 0 in a shadow, -1 where the surface turns away from it."""
    stage = caster.stage
    lit = np.where((hits.facing @ stage.sun > 0.0) & (hits.normal @ stage.sun > 0.0), 1.0, -1.0)
    if stage.style.shadows:
        toward = np.flatnonzero(lit > 0.0)
        directions = np.broadcast_to(stage.sun, (len(toward), 3))
        lit[toward] = caster.open(_lifted(hits)[toward], directions, 1e9)
    return lit


def _ambient(caster: _Caster, hits: Hits, local: Float64) -> Float64:
    """Return (n, 2) float64: shares of open sky and open ground, from the (n, r, 3) directions about the normal."""
    if caster.stage.style.ambient_rays <= 0:
        return open_ambient(hits.normal)
    rays = local.shape[1]
    directions = around(hits.normal, local).reshape(-1, 3)
    reach = max(caster.stage.style.ambient_reach_m, 4.0 * caster.stage.view.pixel_m)
    clear = caster.open(np.repeat(_lifted(hits), rays, axis=0), directions, reach).reshape(-1, rays)
    upward = (directions[:, 2] > 0.0).reshape(-1, rays)
    return np.stack([(clear & upward).mean(axis=1), (clear & ~upward).mean(axis=1)], axis=1)


def _soften(caster: _Caster, triangle: Int32, sun: Float32, pixel: Int64) -> None:
    """Ask again at shadow edges: rays from all over the pixel to all over the sun's disc."""
    stage = caster.stage
    width = stage.view.size[0]
    spread = np.tan(np.radians(stage.style.sun_softness_deg))
    side = np.cross(stage.sun, [0.0, 0.0, 1.0] if abs(stage.sun[2]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    over = np.cross(side, stage.sun)
    total = np.zeros(len(pixel))
    offsets, spots = subpixels(), disc(PENUMBRA_RAYS)[[0, 5, 2, 7, 4, 1, 6, 3]] * spread
    for offset, spot in zip(offsets, spots, strict=True):
        rays = stage.view.rays(pixel % width + 0.5 + offset[0], pixel // width + 0.5 + offset[1])
        hits = locate(stage, triangle.reshape(-1)[pixel].astype(np.int64), rays)
        direction = stage.sun + spot[0] * side + spot[1] * over
        total += caster.open(_lifted(hits), np.broadcast_to(direction / np.linalg.norm(direction), rays.shape), 1e9)
    sun.reshape(-1)[pixel] = total / PENUMBRA_RAYS


def _differs(values: AnyArray, valid: Bool) -> Bool:
    """Return (h, w) bool: a valid pixel has a valid one of another value among its eight neighbours."""
    out = np.zeros(values.shape, bool)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here, there = _pair(values.shape, dy, dx)
        unlike = (values[here] != values[there]) & valid[here] & valid[there]
        out[here] |= unlike
        out[there] |= unlike
    return out


def _pair(shape: tuple[int, ...], dy: int, dx: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the slices of all pixels that have a neighbour `dy` rows and `dx` columns on, and of those neighbours."""
    h, w = shape[:2]
    here = (slice(max(-dy, 0), h - max(dy, 0)), slice(max(-dx, 0), w - max(dx, 0)))
    there = (slice(max(dy, 0), h + min(dy, 0)), slice(max(dx, 0), w + min(dx, 0)))
    return here, there


def _smooth(seen: _Buffers, ambient: Float32, span: tuple[int, int]) -> None:
    """Average openness over 4 x 4 pixels of the same surface, in a span of rows: each of the 16 sets counts once."""
    top = max(span[0] - 2, 0)
    surface, rough = seen.surface[top : span[1] + 2], seen.ambient[top : span[1] + 2]
    total, weight = rough.copy(), np.ones(surface.shape, np.float32)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            if (dy, dx) == (0, 0):
                continue
            # five pixels a side, the outer ones by half
            share = np.float32((0.5 if abs(dy) == 2 else 1.0) * (0.5 if abs(dx) == 2 else 1.0))
            here, there = _pair(surface.shape, dy, dx)
            same = (surface[here] == surface[there]) * share
            total[here] += rough[there] * same[..., None]
            weight[here] += same
    rows = slice(span[0] - top, span[1] - top)
    ambient[span[0] : span[1]] = total[rows] / weight[rows, :, None]


def _colour(caster: _Caster, lit: _Buffers, image: Float64, span: tuple[int, int]) -> None:
    """Shade the centres of a span of pixels."""
    stage, width = caster.stage, caster.stage.view.size[0]
    pixel = np.arange(*span)
    image[pixel] = backdrop(stage, pixel // width + 0.5)
    pixel = pixel[lit.triangle.reshape(-1)[pixel] >= 0]
    y = pixel // width + 0.5
    hits = locate(stage, lit.triangle.reshape(-1)[pixel].astype(np.int64), stage.view.rays(pixel % width + 0.5, y))
    sun = np.maximum(lit.sun.reshape(-1)[pixel], 0.0)
    image[pixel] = shade(stage, hits, sun, lit.ambient.reshape(-1, 2)[pixel], y)


def _edges(lit: _Buffers, pixel_m: float) -> Bool:
    """Return (h, w) bool: the pixel has a neighbour on another surface, or on ground far behind or before it."""
    edge = _differs(lit.surface, np.ones(lit.surface.shape, bool))
    distance = np.where(np.isfinite(lit.distance), lit.distance, -1.0)
    for dy, dx in ((0, 1), (1, 0)):
        here, there = _pair(edge.shape, dy, dx)
        jump = (np.abs(distance[here] - distance[there]) > 6.0 * pixel_m) & (lit.surface[here] == GROUND)
        edge[here] |= jump
        edge[there] |= jump
    return edge


def _refine(caster: _Caster, lit: _Buffers, images: tuple[Float64, Float64], pixel: Int64) -> None:
    """Average eight more rays into pixels with an edge, and darken them by how evenly the edge divides them."""
    stage = caster.stage
    whole, image = images
    total = whole[pixel].copy()
    same = np.ones(len(pixel))
    width, ground_from = stage.view.size[0], stage.surfaces.ground_from
    centre = lit.triangle.reshape(-1)[pixel].astype(np.int64)
    for offset in subpixels():
        x, y = pixel % width + 0.5 + offset[0], pixel // width + 0.5 + offset[1]
        rays = stage.view.rays(x, y)
        triangle = caster.first(rays)
        colour = backdrop(stage, y)
        hit = np.flatnonzero(triangle >= 0)
        hits = locate(stage, triangle[hit], rays[hit])
        sun, ambient = _borrowed(caster, lit, hits, pixel[hit], offset)
        colour[hit] = shade(stage, hits, sun, ambient, y[hit])
        total += colour
        same[hit] += _alike(stage.surfaces, centre[hit], hits)
        same += (triangle < 0) & ((centre < 0) | (centre >= ground_from))
    share = same / 9.0
    fine = np.clip(OUTLINED_M / max(stage.view.pixel_m, 1e-9), 0.0, 1.0) ** 1.5
    image[pixel] = total / 9.0 * (1.0 - stage.style.edge_strength * fine * 4.0 * share * (1.0 - share))[:, None]


def _alike(surfaces: Surfaces, centre: Int64, hits: Hits) -> Bool:
    """Return (n,) bool: the hit lies on the surface that the pixel's centre shows (ground, or a plane within 10 cm)."""
    other = np.maximum(centre, 0)
    ground = hits.triangle >= surfaces.ground_from
    normal = surfaces.normals[other]
    turned = np.einsum("ij,ij->i", normal, surfaces.normals[hits.triangle])
    apart = np.einsum("ij,ij->i", hits.point - surfaces.vertices[surfaces.triangles[other, 0]], normal)
    # no outline between the ground and what is behind it
    open_country = ground & ((centre >= surfaces.ground_from) | (centre < 0))
    plane = ~ground & (centre >= 0) & (centre < surfaces.ground_from) & (turned > 0.99) & (np.abs(apart) < 0.1)
    alike: Bool = open_country | plane
    return alike


def _borrowed(caster: _Caster, lit: _Buffers, hits: Hits, pixel: Int64, offset: Float64) -> tuple[Float64, Float64]:
    """Take sun and openness from the pixel, or the nearest neighbour, that shows the same surface; else trace them."""
    height, width = lit.triangle.shape
    surface = caster.stage.surfaces.surface[hits.triangle]
    sun, ambient = np.zeros(len(pixel)), np.zeros((len(pixel), 2))
    left = np.arange(len(pixel))
    steps = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    for dx, dy in sorted(steps, key=lambda step: float(np.hypot(step[0] - offset[0], step[1] - offset[1]))):
        x = np.clip(pixel[left] % width + dx, 0, width - 1)
        y = np.clip(pixel[left] // width + dy, 0, height - 1)
        at = y * width + x
        found = lit.surface.reshape(-1)[at] == surface[left]
        sun[left[found]] = lit.sun.reshape(-1)[at[found]]
        ambient[left[found]] = lit.ambient.reshape(-1, 2)[at[found]]
        left = left[~found]
    if len(left):
        rest = Hits(*(getattr(hits, name)[left] for name in Hits.__slots__))
        sun[left] = _sunlit(caster, rest)
        rank = PATTERN[(pixel[left] // width) % 4, pixel[left] % width % 4]
        ambient[left] = _ambient(caster, rest, caster.hemispheres[rank][:, :4])
    return np.maximum(sun, 0.0), ambient
