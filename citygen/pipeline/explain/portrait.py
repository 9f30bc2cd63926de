"""One building to a picture: itself in colour, its neighbours in grey, on the ground it stands on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64, UInt8
from citygen.formats.glb import decode
from citygen.ground.dem import Dem
from citygen.ground.relief import relief_mesh
from citygen.model.scene import TileEntry
from citygen.pipeline.picture import to_crs
from citygen.preview.camera import Camera
from citygen.preview.parts import PictureScene
from citygen.preview.scene import render

FOV_DEG = 22.0
_FILL = 0.58
"""Share of the picture's height that the building takes."""
_AROUND = 3.2
"""Neighbours are shown up to this many times the building's size away, and at least ``_LEAST_M``."""
_LEAST_M, _MOST_M = 45.0, 400.0
_GREY, _GREY_SHARE = np.array([212.0, 211.0, 208.0]), 0.8
_ACCENT, _ACCENT_SHARE = np.array([222.0, 106.0, 48.0]), 0.3
_AZIMUTHS_DEG = (-30.0, 30.0, 150.0, -150.0, -75.0, 75.0)
_ELEVATIONS_DEG = ((34.0, 1.0), (52.0, 0.85), (75.0, 0.6))
"""How far the camera looks down, and how much such a view is liked."""
_LOOKED_AT = 60
"""Triangles of the building, the largest, of which it is asked whether they are seen."""
_LEAST_REACH_M = 5.0
_GROUND_STEPS = 160


def portrait(
    out: Path,
    entries: dict[str, TileEntry],
    ids: Sequence[str],
    place: tuple[str, Dem | None, float],
    *,
    size: tuple[int, int] = (960, 640),
) -> UInt8 | None:
    """
    Draw one building, or an outline's parts.

    Parameters
    ----------
    out : pathlib.Path
        A finished output folder.
    entries : dict of str to TileEntry
        Its tiles.
    ids : sequence of str
        What is shown in colour.
    place : (str, Dem or None, float)
        Working CRS, the ground, and what is added to its heights in the tiles.
    size : (width, height)
        Pixels.

    Returns
    -------
    (height, width, 3) uint8 or None
        sRGB; None where no tile holds any of them.
    """
    crs, dem, offset = place
    tiles = [entry for entry in entries.values() if entry.uri]
    own = [entry for entry in tiles if np.isin(_tile_ids(out, entry), list(ids)).any()]
    if not own:
        return None
    cells = {(entry.col + dc, entry.row + dr) for entry in own for dc in (-1, 0, 1) for dr in (-1, 0, 1)}
    near = [entry for entry in tiles if (entry.col, entry.row) in cells]
    points, triangles, colours, shown, feature = _gather(out, near, list(ids), crs)
    corners = points[triangles[shown]].reshape(-1, 3)
    low, high = corners.min(axis=0), corners.max(axis=0)
    middle, reach = (low + high) / 2, max(_LEAST_REACH_M, float(np.linalg.norm(high - low)) / 2)
    around = min(_MOST_M, max(_LEAST_M, _AROUND * reach))
    kept = _within(points, triangles, feature, (middle, around)) | shown
    origin = np.array([*np.round(middle[:2]), 0.0])
    ground = _ground(dem, (middle, around), crs, offset)
    scene = PictureScene(
        points - origin, triangles[kept], _painted(colours, shown)[kept], ground[0] - origin, ground[1]
    )
    distance = reach / (_FILL * np.tan(np.radians(FOV_DEG) / 2) * size[1] / size[0])
    target = tuple((middle - origin).tolist())
    azimuth, elevation = _clearest(points - origin, triangles[kept], shown[kept])
    camera = Camera(azimuth, elevation, FOV_DEG, 1.0, (target[0], target[1], target[2]), float(distance))
    return render(scene, camera=camera, size=size)


def _tile_ids(out: Path, entry: TileEntry) -> np.ndarray:
    return np.asarray(decode((out / entry.uri).read_bytes()).table["id"])


def _gather(out: Path, entries: list[TileEntry], ids: list[str], crs: str) -> tuple[Float64, Int64, UInt8, Bool, Int64]:
    """Read tiles into one mesh: vertices, triangles, colours, which are shown in colour, and a number for each building."""
    points, triangles, colours, shown, feature = [], [], [], [], []
    count = buildings = 0
    for entry in sorted(entries, key=lambda e: (e.row, e.col)):
        scene = decode((out / entry.uri).read_bytes())
        owner = scene.features[scene.triangles[:, 0]]
        points.append(to_crs(scene.positions, entry, crs))
        triangles.append(scene.triangles + count)
        colours.append(scene.colours[scene.triangles[:, 0]])
        shown.append(np.isin(scene.table["id"], ids)[owner])
        feature.append(owner + buildings)
        count += len(scene.positions)
        buildings += len(scene.table["id"])
    return (
        np.concatenate(points),
        np.concatenate(triangles),
        np.concatenate(colours),
        np.concatenate(shown),
        np.concatenate(feature),
    )


def _within(points: Float64, triangles: Int64, feature: Int64, disc: tuple[Float64, float]) -> Bool:
    """Say which triangles are of buildings that reach into a disc."""
    away = np.hypot(*(points[triangles[:, 0], :2] - disc[0][:2]).T)
    nearest = np.full(int(feature.max()) + 1, np.inf)
    np.minimum.at(nearest, feature, away)
    near: Bool = nearest[feature] <= disc[1]
    return near


def _painted(colours: UInt8, shown: Bool) -> UInt8:
    """Grey the neighbours; warm the building a little, so that a grey one stands out too."""
    plain = colours.astype(np.float64)
    light = plain.mean(axis=1, keepdims=True)
    grey = _GREY_SHARE * _GREY + (1 - _GREY_SHARE) * light
    warm = _ACCENT_SHARE * _ACCENT + (1 - _ACCENT_SHARE) * plain
    painted: UInt8 = np.round(np.where(shown[:, None], warm, grey)).astype(np.uint8)
    return painted


def _clearest(points: Float64, triangles: Int64, shown: Bool) -> tuple[float, float]:
    """Return the azimuth and the elevation, of a few, from which most of the building is seen past its neighbours."""
    corners = points[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    own = np.flatnonzero(shown)
    own = own[np.argsort(-np.linalg.norm(normal[own], axis=1), kind="stable")[:_LOOKED_AT]]
    others = corners[~shown]
    centres = corners[own].mean(axis=1)
    best, view = -1.0, (_AZIMUTHS_DEG[0], _ELEVATIONS_DEG[0][0])
    for elevation, liking in _ELEVATIONS_DEG:
        for azimuth in _AZIMUTHS_DEG:
            a, e = np.radians(azimuth), np.radians(elevation)
            back = -np.array([np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), -np.sin(e)])  # to the camera
            facing = np.clip(normal[own] @ back, 0.0, None)
            seen = np.array(
                [f > 0 and not _hit(c + 1e-3 * back, back, others) for c, f in zip(centres, facing, strict=True)]
            )
            score = round(liking * float(facing[seen].sum()) / max(1e-9, float(facing.sum())), 3)
            if score > best:
                best, view = score, (azimuth, elevation)
    return view


def _hit(start: Float64, direction: Float64, corners: Float64) -> bool:
    """Say whether a ray meets a triangle (Moeller and Trumbore, 1997)."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(direction, two)
    det = np.einsum("ij,ij->i", one, across)
    inverse = 1.0 / np.where(np.abs(det) < 1e-12, np.inf, det)
    to_start = start - corners[:, 0]
    u = np.einsum("ij,ij->i", to_start, across) * inverse
    turned = np.cross(to_start, one)
    v = turned @ direction * inverse
    t = np.einsum("ij,ij->i", two, turned) * inverse
    return bool(((u > 0) & (v > 0) & (u + v < 1) & (t > 1e-6)).any())


def _ground(dem: Dem | None, disc: tuple[Float64, float], crs: str, offset: float) -> tuple[Float64, Int64]:
    """Return the ground around, as a mesh; nothing without a DEM."""
    if dem is None:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    middle, around = disc
    reach = 1.6 * around
    bounds = (middle[0] - reach, middle[1] - reach, middle[0] + reach, middle[1] + reach)
    vertices, triangles = relief_mesh(dem, bounds, crs, step_m=max(0.5, round(2 * reach / _GROUND_STEPS, 1)))
    return vertices + np.array([0.0, 0.0, offset]), triangles
