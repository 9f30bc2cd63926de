"""Names to outlines in metres: the plans that roofs must stand on, drawn here, and those of the folder of test data."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import MultiPolygon, Polygon


def regular(n: int, radius: float, *, turn: float = 0.0) -> Polygon:
    """Return a regular polygon."""
    angle = np.arange(n) * 2 * np.pi / n + turn
    return Polygon(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def star(points: int, outer: float, inner: float) -> Polygon:
    """Return a star."""
    angle = np.arange(2 * points) * np.pi / points + 0.1
    radius = np.where(np.arange(2 * points) % 2 == 0, outer, inner)
    return Polygon(radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def comb(teeth: int, *, width: float = 1.0, depth: float = 8.0) -> Polygon:
    """Return a back with teeth that point down."""
    xy = [(0.0, 3.0), (0.0, -depth)]
    for k in range(teeth):
        left = 2 * width * k
        xy += [(left + width, -depth), (left + width, 0.0)]
        if k < teeth - 1:
            xy += [(left + 2 * width, 0.0), (left + 2 * width, -depth)]
    return Polygon([*xy, (2 * width * teeth - width, 3.0)])


def with_holes(outline: Polygon, holes: list[Polygon]) -> Polygon:
    """Cut holes."""
    cut = outline.difference(shapely.union_all(holes))
    assert cut.geom_type == "Polygon"
    return cut


def _spiral() -> Polygon:
    line = shapely.LineString([(0, 0), (20, 0), (20, 16), (3, 16), (3, 5), (15, 5), (15, 11), (8, 11)])
    return line.buffer(1.0, cap_style="square", join_style="mitre")


def plans() -> dict[str, Polygon]:
    """Return drawn outlines, all valid, 1 to 120 m wide, by name."""
    box = shapely.box
    big = box(0, 0, 30, 22)
    court = box(8, 6, 20, 15)
    return {
        "square": box(0, 0, 10, 10),
        "rectangle": box(0, 0, 14, 8),
        "hut": box(0, 0, 1.2, 0.9),
        "long": box(0, 0, 120, 9),
        "triangle": Polygon([(0, 0), (11, 1), (4, 9)]),
        "trapezium": Polygon([(0, 0), (14, 0), (11, 7), (2, 7)]),
        "skewed": Polygon([(0, 0), (13, 0.4), (12.7, 8.2), (0.3, 7.6)]),
        "midpoints": Polygon([(0, 0), (6, 0), (12, 0.5), (12, 4), (12, 8), (6, 8.3), (0, 8), (0, 4)]),
        "L": Polygon([(0, 0), (16, 0), (16, 7), (7, 7), (7, 15), (0, 15)]),
        "T": Polygon([(0, 10), (0, 6), (7, 6), (7, 0), (12, 0), (12, 6), (19, 6), (19, 10)]),
        "U": Polygon([(0, 0), (18, 0), (18, 14), (12, 14), (12, 5), (6, 5), (6, 14), (0, 14)]),
        "H": Polygon([(0, 0), (5, 0), (5, 6), (13, 6), (13, 0), (18, 0), (18, 16), (13, 16), (13, 10), (5, 10), (5, 16), (0, 16)]),
        "plus": box(0, 5, 15, 10).union(box(5, 0, 10, 15)),
        "arrow": Polygon([(0, 0), (10, 5), (0, 10), (4, 5)]),
        "courtyard": with_holes(big, [court]),
        "courtyard off grid": with_holes(big, [affinity.rotate(court, 17)]),
        "round courtyard": with_holes(regular(24, 15), [regular(20, 9)]),
        "three holes": with_holes(big, [box(2, 2, 8, 8), box(10, 3, 15, 20), affinity.translate(regular(7, 3), 22, 12)]),
        "nine holes": with_holes(big, [box(2 + 9 * i, 2 + 7 * j, 7 + 9 * i, 6 + 7 * j) for i in range(3) for j in range(3)]),
        "holes in line": with_holes(box(0, 0, 40, 9), [box(4 + 8 * k, 3, 8 + 8 * k, 6) for k in range(4)]),
        "hole near the wall": with_holes(big, [box(0.02, 5, 9, 9)]),
        "C in courtyard": with_holes(
            box(0, 0, 26, 20),
            [affinity.translate(Polygon([(0, 0), (12, 0), (12, 4), (4, 4), (4, 8), (12, 8), (12, 12), (0, 12)]), 6, 4)],
        ),
        "star 5": star(5, 12, 5),
        "star 17": star(17, 14, 9),
        "circle 32": regular(32, 8),
        "circle 500": regular(500, 20),
        "octagon": regular(8, 7, turn=np.pi / 8),
        "sliver": Polygon([(0, 0), (20, 0.03), (20, 0.05), (0, 0.02)]),
        "needle": Polygon([(0, 0), (25, 0), (25, 0.02)]),
        "wedge": Polygon([(0, 0), (30, 0), (30, 0.6)]),
        "comb 6": comb(6),
        "comb 40": comb(40, width=0.6),
        "spiral": _spiral(),
        "stairs": Polygon([(0, 0), (12, 0), (12, 3), (9, 3), (9, 6), (6, 6), (6, 9), (3, 9), (3, 12), (0, 12)]),
        "millimetre step": Polygon([(0, 0), (10, 0), (10, 4.998), (10.003, 5.002), (10.003, 10), (0, 10)]),
        "ridge through corners": Polygon([(0, 0), (12, 0), (12, 4), (16, 4), (16, 8), (0, 8), (0, 4), (-3, 4)]),
        "bay window": Polygon([(0, 0), (4, 0), (5, -1), (7, -1), (8, 0), (12, 0), (12, 8), (0, 8)]),
    }  # fmt: skip


def turned(plan: Polygon, degrees: float) -> Polygon:
    """Rotate a plan counter-clockwise around the origin."""
    return affinity.rotate(plan, degrees, origin=(0, 0))


def scaled_to(plan: Polygon, size_m: float) -> Polygon:
    """Move a plan to the origin and scale it to a longest extent."""
    west, south, east, north = plan.bounds
    factor = size_m / max(east - west, north - south)
    return affinity.scale(affinity.translate(plan, -west, -south), factor, factor, origin=(0, 0))


def skeleton_plans(testdata: Path, *, size_m: float = 40.0, most_vertices: int = 400) -> dict[str, Polygon]:
    """Return the valid outlines that break skeleton and triangulation codes, scaled to metres, by id."""
    found: dict[str, Polygon] = {}
    for feature in _features(testdata / "hardcases/skeleton"):
        shape = shapely.geometry.shape(feature["geometry"])
        for k, part in enumerate(shape.geoms if isinstance(shape, MultiPolygon) else [shape]):
            if part.is_valid and not part.is_empty and shapely.get_num_coordinates(part) <= most_vertices:
                found[f"{feature['properties']['id']}/{k}"] = scaled_to(shapely.force_2d(part), size_m)
    return found


def invalid_rows(testdata: Path) -> list[dict]:
    """Return the features of the invalid outlines: their properties, and ``geometry`` unscaled (None: unreadable)."""
    rows = []
    for feature in _features(testdata / "hardcases/invalid"):
        path = testdata / "hardcases/invalid/wkt" / f"{feature['properties']['id']}.wkt"
        geometry = shapely.from_wkt(path.read_text(), on_invalid="fix")  # what GEOS cannot hold at all: None
        rows.append({**feature["properties"], "geometry": geometry})
    return rows


def _features(folder: Path) -> Iterator[dict]:
    for path in sorted(folder.glob("*.geojson")):
        yield from json.loads(path.read_text(encoding="utf-8"))["features"]


REAL = {
    "01": "01_larochelle_bdtopo_dem/buildings_bdtopo.gpkg",
    "08": "08_denhaag_lod2_west/footprints_west.gpkg",
    "11": "11_olemps_bdtopo/v2/BATI_INDIFFERENCIE.shp",
}


def real_footprints(testdata: Path, scratch: Path, name: str, *, most: int = 1000) -> np.ndarray:
    """Return an even sample of real footprints in their metric CRS; files are copied to ``scratch`` before they are read."""
    import shutil

    import pyogrio

    source = testdata / "realdata" / REAL[name]
    for path in source.parent.glob(f"{source.stem}.*"):
        shutil.copy(path, scratch)
    geometry = shapely.from_wkb(pyogrio.raw.read(scratch / source.name, columns=[])[2])
    step = max(1, len(geometry) // most)
    return geometry[::step]
