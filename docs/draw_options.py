"""Dormers, chimneys and overhangs to their sections of the documentation, and the pictures of them."""

import tempfile
from pathlib import Path

from marked import table

from citygen.arraytypes import UInt8

_L = ((0, 0), (17, 0), (17, 9), (9, 9), (9, 16), (0, 16))


def features() -> str:
    """Return the section on what stands on roofs."""
    from citygen.params import Param
    from citygen.solids import chimneys, dormers

    rows = [
        [name, f"`{p.name}`", p.text, f"{p.default:g}", f"{p.low:g} to {p.high:g}"]
        for name, module in (("dormer", dormers), ("chimney", chimneys))
        for p in vars(module).values()
        if isinstance(p, Param)
    ]
    text = (
        "## Dormers and chimneys\n\n![Dormers and chimneys](images/roof-features.png)\n\n"
        "Columns `roof:dormers` and `roof:chimneys` (or those named with `--map dormers=...`, `--map chimneys=...`) say how many\n"
        "a building has, also 0. Where they say nothing, `--dormers N` and `--chimneys N` hold for every pitched roof, and\n"
        "`auto` lets chance, seeded by the id, class and floor area decide. Without the options there are none.\n\n"
        "Each stands within one sloped face, clear of its edges and of the others, and is part of the one closed solid.\n"
        "Dormers stand in a level row, evenly spaced, on the slopes that start at the eave; they are gabled or shed, as the id\n"
        "has it. Chimneys stand near the ridge, and end above it. When there is no room for all that the data ask for, the\n"
        "row says `dormers_fewer` or `chimneys_fewer` and what was built; for those of an option it says so as a note,\n"
        "`dormers_fitted` or `chimneys_fitted`.\n"
    )
    return f"{text}\n{table(['', 'size', 'what it is', 'usual', 'bounds'], rows)}\n"


def overhangs() -> str:
    """Return the section on roofs that reach beyond the walls."""
    return (
        "## Overhangs\n\n![Roofs that reach beyond the walls](images/roof-overhangs.png)\n\n"
        "`--overhang 0.5` lets roofs reach half a metre beyond the walls, at eaves and verges and into courtyards; the key\n"
        "`roof_overhang` says it for one building. Default: none. Within the walls the roof stays the same; beyond them its\n"
        "planes go on, and `--roof-thickness` below them lies the underside. Corners are mitred; those sharper than 39 degrees\n"
        "are cut off square. Under a roof around an apex (cone, pyramidal) the outline is enlarged about the apex, so that its\n"
        "eave is level: the wall nearest to the apex has what was asked, one twice as far has twice as much. A small hip over\n"
        "a gable comes down as far as the gable comes out. `eave_z` is the height over the walls, `ridge_z` the highest place\n"
        "over the footprint: the upper edge of a skillion or butterfly roof ends above it.\n"
        "`roof_area_m2` counts the overhang, `wall_area_m2` the roof's upright edge. The solid stays closed and filled.\n\n"
        f"In the picture, row by row: {', '.join(overhanging())}.\n"
        "Other shapes end at the walls; so do roofs steeper than 65 degrees at the edge (a mansard of the usual slope), roofs\n"
        "with upright steps there (a saltbox, where an upright wall meets a receding corner), and those around an apex that is\n"
        "three times as far from one wall as from another (`overhang_not_for_shape`, with what it was). Where edges\n"
        "would meet (a courtyard or a gap narrower than two overhangs) or the underside would reach the ground, a half or a\n"
        "quarter is built (`overhang_reduced`), or none (`overhang_left_out`). Neighbours are not looked at: over a party wall\n"
        "two overhangs run into each other.\n"
    )


def draw_overhangs(path: Path) -> None:
    """Draw the roof shapes that overhang, from low down, where their undersides and edges show."""
    import numpy as np

    from citygen.preview.scene import write_png

    shapes = overhanging()
    write_png(np.concatenate([_row_of_shapes(shapes[k : k + _A_ROW]) for k in range(0, len(shapes), _A_ROW)]), path)


_A_ROW = 6


def overhanging() -> tuple[str, ...]:
    """Return the names of the roof shapes that overhang."""
    from citygen.roofs.base import FAMILIES, ROOFS

    return tuple(shape.name for shape in ROOFS if shape.overhangs and FAMILIES[shape.family].grows)


def _row_of_shapes(names: tuple[str, ...]) -> UInt8:
    """Return a picture of shapes with overhangs, from left to right, on a rectangle and, behind it, on an L."""
    import geopandas as gpd
    import shapely
    from shapely.affinity import translate

    import citygen
    from citygen.pipeline.picture import city_scene
    from citygen.preview.camera import Camera
    from citygen.preview.scene import render

    box = shapely.box
    rows = [
        {
            "id": f"{shape}-{k}",
            "height": 8.0,
            "roof_shape": shape,
            "roof_height": None if shape == "flat" else 3.0,
            "roof_direction": 90.0,
            "roof_colour": "#b5654a",
            "wall_colour": "#e6ddcc",
            "geometry": translate(outline, 500_000 + 21 * column, 5_150_000 - 26 * k),
        }
        for column, shape in enumerate(names)
        for k, outline in enumerate([box(0, 0, 14, 16) - box(8, 7, 14, 16), box(0, 0, 10, 15)])
    ]
    frame = gpd.GeoDataFrame(rows, crs="EPSG:32631")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "roofs"
        city = citygen.build(frame, ground_z=0.0, out=out, crs="EPSG:32631", overhang=0.8, roof_thickness=0.25)
        scene = city_scene(city.out, list(city.entries.values()), city.report["crs"], None)
        return render(scene, camera=Camera(azimuth_deg=-11, elevation_deg=15, zoom=0.96), size=(1400, 380))


def draw_features(path: Path) -> None:
    """Draw houses of several roof shapes with dormers and chimneys."""
    import geopandas as gpd
    import shapely
    from shapely.affinity import translate

    import citygen
    from citygen.pipeline.picture import city_scene
    from citygen.preview.camera import Camera
    from citygen.preview.scene import render, write_png

    long, wide, angle = shapely.box(0, 0, 17, 10), shapely.box(0, 0, 17, 12), shapely.Polygon(_L)
    houses = [
        ("gabled", wide, 5.5, 6, 2), ("hipped", long, 4.5, 4, 1), ("gambrel", long, 4.8, 4, 2), ("mansard", angle, 4.5, 9, 2),
        ("mansard", wide, 4.2, 8, 2), ("saltbox", long, 4.5, 3, 1), ("gabled", long, 4.0, 2, 1), ("hipped", angle, 4.2, 5, 2),
    ]  # fmt: skip
    rows = [
        {
            "id": f"house-{k}",
            "height": 5.5 + rise,
            "roof_shape": shape,
            "roof_height": rise,
            "dormers": dormers,
            "chimneys": chimneys,
            "roof_colour": "#b5654a",
            "wall_colour": "#e6ddcc",
            "geometry": translate(outline, 500_000 + 23 * (k % 4), 5_150_000 - 24 * (k // 4)),
        }
        for k, (shape, outline, rise, dormers, chimneys) in enumerate(houses)
    ]
    frame = gpd.GeoDataFrame(rows, crs="EPSG:32631")
    with tempfile.TemporaryDirectory() as scratch:
        city = citygen.build(frame, ground_z=0.0, out=Path(scratch) / "houses", crs="EPSG:32631")
        scene = city_scene(city.out, list(city.entries.values()), city.report["crs"], None)
        write_png(render(scene, camera=Camera(azimuth_deg=-16, elevation_deg=30, zoom=0.94), size=(1400, 700)), path)
