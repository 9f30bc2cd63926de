"""The ground of the bundled sample to a picture: its triangles with holes where buildings stand, and the town on it."""

import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np

from citygen.arraytypes import Float64, UInt8


def draw_terrain(path: Path) -> None:
    """Draw the tile of the sample that holds most, twice: the ground alone, and with its buildings."""
    import citygen
    from citygen.catalogue.entries import read_terrain
    from citygen.pipeline.picture import tile_triangles
    from citygen.preview.camera import Camera
    from citygen.preview.parts import PictureScene
    from citygen.preview.scene import render, write_png
    from citygen.sample import bundled_sample

    town = bundled_sample()
    with tempfile.TemporaryDirectory() as scratch:
        city = citygen.build(
            str(town.buildings),
            dem=str(town.dem),
            aoi=str(town.aoi),
            out=Path(scratch) / "o",
            terrain=True,
            drape="hypsometric",
        )
        crs = city.report["crs"]
        leaf = max(read_terrain(city.out), key=lambda e: (city.out / e.uri).stat().st_size)
        ground = _ground(city.out / leaf.uri, leaf, crs)
        tile = city.entries[f"{leaf.col}_{leaf.row}"]
        houses = tile_triangles(city.out / tile.uri, tile, crs)
    middle = np.round(ground[0].mean(axis=0)) * [1, 1, 0]
    ground, houses = ((v - middle, t, c) for v, t, c in (ground, houses))
    camera = Camera(azimuth_deg=-25, elevation_deg=38, zoom=1.0)
    views = [
        render(PictureScene(*part), camera=camera, size=(800, 620)) for part in (ground, _joined([ground, houses]))
    ]
    write_png(np.concatenate(views, axis=1), path)


Part = tuple[Float64, np.ndarray, UInt8]


def _ground(path: Path, entry: object, crs: str) -> Part:
    """Read a terrain tile, each triangle coloured by the picture that lies over it."""
    from PIL import Image

    from citygen.formats.terrain import decode_terrain
    from citygen.pipeline.picture import to_crs

    surface = decode_terrain(path.read_bytes())
    pixels = np.asarray(Image.open(BytesIO(surface.picture or b"")))
    uv = surface.uv[surface.triangles].mean(axis=1)
    col, row = (np.clip((uv[:, k] * len(pixels)).astype(int), 0, len(pixels) - 1) for k in (0, 1))
    shade = 0.9 + 0.2 * np.random.default_rng(1).random((len(uv), 1))  # so that each triangle shows
    colours = np.rint((pixels[row, col] * shade).clip(0, 255)).astype(np.uint8)
    return to_crs(surface.positions, entry, crs), surface.triangles, colours  # type: ignore[arg-type]


def _joined(parts: list[Part]) -> Part:
    """Put parts one after the other."""
    counts = np.cumsum([0, *(len(p[0]) for p in parts)])
    return (
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] + n for p, n in zip(parts, counts, strict=False)]),
        np.concatenate([p[2] for p in parts]).astype(np.uint8),
    )
