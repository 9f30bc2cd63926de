"""
The pictures of the roof catalogue: each registered shape on seven outlines in one strip, and all shapes on a sheet.

Slopes are those that the shape takes where a source says nothing. A shape that is registered is drawn; nothing is listed here.
"""

import tempfile
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity
from shapely.geometry import Polygon

STRIP = (1400, 260)
CELL = (233, 190)
COLUMNS = 6
LABEL = 26
TURN_DEG = 32.0
"""By how much each outline is turned, so that a gable and a long side are seen."""
DOWN_DEG, FOV_DEG = 36.0, 6.0
EAVE_M, GAP_M = 3.8, 4.0
WALL, ROOF = "#efe9dd", "#c0694a"
CRS = "EPSG:32631"


def outlines() -> dict[str, Polygon]:
    """Return the outlines of a strip, from left to right, in metres around the origin."""
    box, union = shapely.box, shapely.union_all
    drawn = {
        "a rectangle": box(0, 0, 9, 14),
        "an L": union([box(0, 0, 7, 15), box(0, 8, 14, 15)]),
        "a T": union([box(0, 9, 16, 15), box(5, 0, 11, 15)]),
        "a U": union([box(0, 0, 5, 14), box(11, 0, 16, 14), box(0, 9, 16, 14)]),
        "an H": union([box(0, 0, 5, 15), box(11, 0, 16, 15), box(0, 5, 16, 10)]),
        "a courtyard": box(0, 0, 16, 16) - box(5, 5, 11, 11),
        "a circle": shapely.Point(0, 0).buffer(7, quad_segs=6),
    }
    middles = {name: shapely.box(*outline.bounds).centroid for name, outline in drawn.items()}
    return {name: affinity.translate(drawn[name], -at.x, -at.y) for name, at in middles.items()}


_RIDGES = {
    "a rectangle": "LINESTRING (-1.5 -5, -1.5 5)",
    "an L": "LINESTRING (-3.5 -7.5, -3.5 4, 7 4)",
    "a T": "MULTILINESTRING ((-8 4.5, 8 4.5), (0 -7.5, 0 4.5))",
    "a U": "LINESTRING (-5.5 -7, -5.5 4.5, 5.5 4.5, 5.5 -7)",
    "an H": "MULTILINESTRING ((-5.5 -7.5, -5.5 7.5), (5.5 -7.5, 5.5 7.5), (-5.5 0, 5.5 0))",
    "a courtyard": "LINESTRING (-5.5 -5.5, 5.5 -5.5, 5.5 5.5, -5.5 5.5, -5.5 -5.5)",
    "a circle": "LINESTRING (-3 0, 3 0)",
}
"""What a mapper might draw on the outlines: the shape that is as drawn needs lines."""


def strip(shape: str, path: Path) -> None:
    """Draw one shape on every outline."""
    placed, ridges, right = [], [], 0.0
    for name, outline in outlines().items():
        turned = affinity.rotate(outline, -TURN_DEG, origin=(0, 0))
        west, _, east, _ = turned.bounds
        placed.append(affinity.translate(turned, right - west))
        line = affinity.rotate(shapely.from_wkt(_RIDGES[name]), -TURN_DEG, origin=(0, 0))
        ridges.append(affinity.translate(line, right - west))
        right += east - west + GAP_M
    _write(_picture(shape, placed, STRIP, around_m=2.5, ridges=ridges), path)


def sheet(path: Path) -> None:
    """Draw every shape on a rectangle, with its name below."""
    from PIL import Image, ImageDraw, ImageFont

    from citygen.roofs.base import ROOFS

    names = ROOFS.names()
    rectangle = affinity.rotate(outlines()["a rectangle"], -TURN_DEG, origin=(0, 0))
    ridge = affinity.rotate(shapely.from_wkt(_RIDGES["a rectangle"]), -TURN_DEG, origin=(0, 0))
    width, height = CELL[0], CELL[1] + LABEL
    whole = Image.new("RGB", (COLUMNS * width, -(-len(names) // COLUMNS) * height), "white")
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(size=15)
    for k, name in enumerate(names):
        left, top = k % COLUMNS * width, k // COLUMNS * height
        whole.paste(Image.fromarray(_picture(name, [rectangle], CELL, around_m=3.5, ridges=[ridge])), (left, top))
        pen.text((left + width / 2, top + CELL[1] + LABEL / 2), name, fill="#333333", font=font, anchor="mm")
    _write(np.asarray(whole), path)


def _picture(
    shape: str, placed: list[Polygon], size: tuple[int, int], *, around_m: float, ridges: list[shapely.Geometry]
) -> NDArray[np.uint8]:
    """Build a shape on outlines in a row and look at them from the south, with that much room on either side."""
    import geopandas as gpd

    import citygen
    from citygen.pipeline.picture import city_scene
    from citygen.preview.camera import Camera
    from citygen.preview.scene import Style, render
    from citygen.roofs.base import MAPPED, ROOFS

    slope = ROOFS[shape].pitch.default
    rows = [
        {
            "id": f"{shape}-{k}",
            "eave_height": EAVE_M,
            "roof_shape": shape,
            "roof_angle": slope if slope > 0.0 else None,
            "roof_direction": 90.0 + TURN_DEG,
            "roof_colour": ROOF,
            "wall_colour": WALL,
            "roof_ridge": affinity.translate(ridge, 500_000, 5_150_000).wkt if shape == MAPPED else None,
            "geometry": affinity.translate(outline, 500_000, 5_150_000),
        }
        for k, (outline, ridge) in enumerate(zip(placed, ridges, strict=True))
    ]
    with tempfile.TemporaryDirectory() as scratch:
        city = citygen.build(gpd.GeoDataFrame(rows, crs=CRS), ground_z=0.0, out=Path(scratch) / "roofs", crs=CRS)
        scene = city_scene(city.out, list(city.entries.values()), city.report["crs"], None)
    low, high = scene.vertices.min(axis=0), scene.vertices.max(axis=0)
    middle, extent = (low + high) / 2, high - low
    down = np.radians(DOWN_DEG)
    upright = extent[1] * np.sin(down) + extent[2] * np.cos(down)
    half = max(extent[0] / 2 + around_m, (upright / 2 + 0.7) * size[0] / size[1])
    camera = Camera(
        azimuth_deg=0.0,
        elevation_deg=DOWN_DEG,
        fov_deg=FOV_DEG,
        target=(middle[0], middle[1], middle[2]),
        distance_m=float(half / np.tan(np.radians(FOV_DEG / 2))),
    )
    return render(scene, camera=camera, size=size, style=Style(edge_strength=0.75, haze=0.0, ambient_rays=24))


def _write(image: NDArray[np.uint8], path: Path) -> None:
    """Write few colours, packed tightly: a page shows many of these pictures."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    few = Image.fromarray(image).quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
