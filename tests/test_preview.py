"""Pictures: the light falls as it should, back faces show, nasty scenes do not break it, bytes repeat."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citygen import extras
from citygen.preview import raster, raycast
from citygen.preview.camera import Camera, frame, townlike
from citygen.preview.palette import building_colours
from citygen.preview.relief import relief_colours
from citygen.preview.sampling import around, hemispheres
from citygen.preview.scene import PictureScene, Style, render, write_png
from citygen.preview.sheet import contact_sheet
from citygen.preview.style import DEFAULT_STYLE, to_linear, to_srgb
from citygen.preview.surfaces import GROUND, gather

SIZE = (160, 100)
RENDERERS = ["rays", "z-buffer"]
CUBE_TRIANGLES = np.array(
    [
        [0, 2, 1],
        [0, 3, 2],
        [4, 5, 6],
        [4, 6, 7],
        [0, 1, 5],
        [0, 5, 4],
        [1, 2, 6],
        [1, 6, 5],
        [2, 3, 7],
        [2, 7, 6],
        [3, 0, 4],
        [3, 4, 7],
    ]
)
MAGENTA = np.array([255, 0, 255])


def cube(size=10.0, at=(0.0, 0.0, 0.0), grey=200):
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) - [
        0.5,
        0.5,
        0.0,
    ]
    return corners * size + at, CUBE_TRIANGLES, np.full((12, 3), grey, np.uint8)


def cubes(places):
    parts = [cube(at=place) for place in places]
    return PictureScene(
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] + 8 * k for k, part in enumerate(parts)]),
        np.concatenate([part[2] for part in parts]),
    )


def wavy(count=30, span=200.0):
    line = np.linspace(-span, span, count)
    x, y = np.meshgrid(line, line)
    at = np.arange(x.size).reshape(x.shape)
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, 1:].ravel(), at[1:, :-1].ravel()
    vertices = np.stack([x.ravel(), y.ravel(), 8.0 * np.sin(x / 60.0).ravel() - 6.0], axis=1)
    return vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def nothing():
    return PictureScene(np.zeros((0, 3)), np.zeros((0, 3), np.int64), np.zeros((0, 3), np.uint8))


def pixel_of(scene, point, camera):
    surfaces = gather(scene)
    at, _ = frame(surfaces.town, camera, SIZE).project(np.array([point]) - surfaces.centre)
    return int(at[0, 1]), int(at[0, 0])


def magenta(image):
    return int(np.count_nonzero((np.abs(image.astype(int) - MAGENTA) < 30).all(axis=2)))


@pytest.fixture(params=RENDERERS)
def renderer(request, monkeypatch):
    if request.param == "z-buffer":
        monkeypatch.setattr(extras, "has", lambda module: module != "embreex")
    elif not extras.has("embreex"):
        pytest.skip("embreex has no wheel here")
    return request.param


def test_each_renderer_is_the_one_that_draws(monkeypatch):
    called = []
    for module, name in ((raycast, "cast"), (raster, "rasterise")):
        original = getattr(module, name)
        monkeypatch.setattr(
            f"citygen.preview.scene.{name}", lambda stage, f=original, n=name: called.append(n) or f(stage)
        )
    monkeypatch.setattr(extras, "has", lambda module: False)
    render(cubes([(0, 0, 0)]), size=(16, 10))
    monkeypatch.setattr(extras, "has", lambda module: True)
    if extras.find_spec("embreex"):
        render(cubes([(0, 0, 0)]), size=(16, 10))
        assert called == ["rasterise", "cast"]
    else:
        assert called == ["rasterise"]


def test_same_scene_same_bytes_and_arguments_untouched(renderer, tmp_path):
    ground = wavy()
    scene = PictureScene(*cube(), *ground)
    before = [np.copy(getattr(scene, name)) for name in PictureScene.__slots__]
    for name in ("a.png", "b.png"):
        write_png(render(scene, size=SIZE), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert all(
        np.array_equal(old, getattr(scene, name)) for old, name in zip(before, PictureScene.__slots__, strict=True)
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_picture_does_not_depend_on_blocks_or_threads(monkeypatch):
    if not extras.has("embreex"):
        pytest.skip("embreex has no wheel here")
    scene = PictureScene(*cube(), *wavy())
    whole = render(scene, size=SIZE)
    monkeypatch.setattr(raycast, "BLOCK_PIXELS", 777)
    monkeypatch.setattr(raycast, "BAND_ROWS", 7)
    monkeypatch.setattr(raycast, "THREADS", 1)
    assert np.array_equal(whole, render(scene, size=SIZE))


def test_png_reads_back_and_replaces(tmp_path):
    from PIL import Image

    image = render(cubes([(0, 0, 0)]), size=(40, 30))
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    write_png(image, path)
    with Image.open(path) as read:
        assert np.array_equal(np.asarray(read), image)
    with pytest.raises(OSError, match="missing"):
        write_png(image, tmp_path / "missing" / "picture.png")


def test_lit_side_is_brighter_than_the_turned_side(renderer):
    scene = PictureScene(*cube())
    camera = Camera(azimuth_deg=45.0)  # looks north-east: sees the south and the west wall and the roof
    style = Style(sun_azimuth_deg=170.0, sun_elevation_deg=35.0, edge_strength=0.0)
    image = to_linear(render(scene, size=SIZE, camera=camera, style=style)).sum(axis=2)
    south, west, top = (
        image[pixel_of(scene, p, camera)] for p in ((0.0, -5.0, 5.0), (-5.0, 0.0, 5.0), (0.0, 0.0, 10.0))
    )
    assert south > 1.6 * west
    assert top > 1.3 * west
    turned = Style(sun_azimuth_deg=280.0, sun_elevation_deg=35.0, edge_strength=0.0)
    image = to_linear(render(scene, size=SIZE, camera=camera, style=turned)).sum(axis=2)
    assert image[pixel_of(scene, (-5.0, 0.0, 5.0), camera)] > 1.6 * image[pixel_of(scene, (0.0, -5.0, 5.0), camera)]


@pytest.mark.parametrize("sun_azimuth", [90.0, 200.0, 270.0])
def test_shadow_falls_away_from_the_sun(renderer, sun_azimuth):
    line = np.array([-60.0, 60.0])
    flat = np.array([[x, y, 0.0] for y in line for x in line]), np.array([[0, 1, 3], [0, 3, 2]])
    scene = PictureScene(*cube(), *flat)
    camera = Camera(azimuth_deg=0.0, elevation_deg=80.0, zoom=0.35)
    image = to_linear(render(scene, size=SIZE, camera=camera, style=Style(sun_azimuth_deg=sun_azimuth))).sum(axis=2)
    away = np.radians(sun_azimuth + 180.0)
    step = np.array([np.sin(away), np.cos(away), 0.0]) * 11.0
    behind, before = (image[pixel_of(scene, point, camera)] for point in (step, -step))
    assert behind < 0.6 * before
    without = render(
        scene, size=SIZE, camera=camera, style=Style(sun_azimuth_deg=sun_azimuth, shadows=False, ambient_rays=0)
    )
    behind, before = (to_linear(without).sum(axis=2)[pixel_of(scene, point, camera)] for point in (step, -step))
    assert behind == pytest.approx(before, rel=0.05)


def test_openness_darkens_the_foot_of_a_wall():
    if not extras.has("embreex"):
        pytest.skip("embreex has no wheel here")
    scene = PictureScene(*cube())
    camera = Camera(azimuth_deg=0.0, elevation_deg=60.0, zoom=0.3)
    style = Style(shadows=False, contours=0.0, edge_strength=0.0, sun=(0.0, 0.0, 0.0))
    image = to_linear(render(scene, size=SIZE, camera=camera, style=style)).sum(axis=2)
    near, far = (image[pixel_of(scene, (0.0, -5.0 - d, 0.0), camera)] for d in (0.8, 9.0))
    assert near < 0.85 * far


def test_backfaces_show_in_magenta_only_when_inverted(renderer):
    vertices, triangles, colours = cube()
    style = Style(show_backfaces=True)
    for azimuth in (10.0, 130.0, 250.0):
        camera = Camera(azimuth_deg=azimuth)
        assert magenta(render(PictureScene(vertices, triangles, colours), size=SIZE, camera=camera, style=style)) == 0
        inverted = PictureScene(vertices, triangles[:, ::-1], colours)
        assert magenta(render(inverted, size=SIZE, camera=camera, style=style)) > 500
        assert magenta(render(inverted, size=SIZE, camera=camera)) == 0


def test_one_inverted_face_is_found(renderer):
    vertices, triangles, colours = cube()
    triangles = triangles.copy()
    triangles[2:4] = triangles[2:4, ::-1]  # the roof
    scene = PictureScene(vertices, triangles, colours)
    count = magenta(render(scene, size=SIZE, style=Style(show_backfaces=True)))
    assert 300 < count < 8000


def test_inverted_faces_are_shaded_like_the_others(renderer):
    vertices, triangles, colours = cube()
    style = Style(shadows=False, ambient_rays=0)
    right = render(PictureScene(vertices, triangles, colours), size=SIZE, style=style)
    wrong = render(PictureScene(vertices, triangles[:, ::-1], colours), size=SIZE, style=style)
    assert np.abs(right.astype(int) - wrong).max() <= 1


def test_renderers_agree_on_an_unshadowed_cube(monkeypatch):
    if not extras.has("embreex"):
        pytest.skip("embreex has no wheel here")
    style = Style(shadows=False, ambient_rays=0, edge_strength=0.0)
    scene = PictureScene(*cube(), *wavy())
    rays = render(scene, size=SIZE, style=style).astype(int)
    monkeypatch.setattr(extras, "has", lambda module: False)
    difference = np.abs(rays - render(scene, size=SIZE, style=style))
    assert difference.mean() < 0.5
    assert np.percentile(difference, 95.0) <= 1


def test_renderers_agree_on_shadows(monkeypatch):
    if not extras.has("embreex"):
        pytest.skip("embreex has no wheel here")
    style = Style(ambient_rays=0, edge_strength=0.0)
    scene = cubes([(x * 22.0, y * 22.0, 0.0) for x in range(4) for y in range(4)])
    rays = render(scene, size=SIZE, style=style).astype(int)
    monkeypatch.setattr(extras, "has", lambda module: False)
    difference = np.abs(rays - render(scene, size=SIZE, style=style)).max(axis=2)
    assert np.mean(difference > 25) < 0.02


def test_empty_scenes_give_pictures(renderer):
    for scene in (
        nothing(),
        PictureScene(np.zeros((4, 3)), np.zeros((0, 3), np.int64), np.zeros((0, 3), np.uint8)),
        PictureScene(np.zeros((3, 3)), np.array([[0, 1, 2]]), np.full((1, 3), 90, np.uint8)),
        PictureScene(nothing().vertices, nothing().triangles, nothing().colours, *wavy()),
    ):
        image = render(scene, size=(48, 30))
        assert image.shape == (30, 48, 3)
        assert image.dtype == np.uint8
        assert image.min() > 60  # paper, not black
    assert render(PictureScene(*cube()), size=(1, 1)).shape == (1, 1, 3)


def test_nasty_scenes_are_refused():
    vertices, triangles, colours = cube()
    broken = vertices.copy()
    broken[3, 2] = np.nan
    with pytest.raises(ValueError, match="row 3"):
        render(PictureScene(broken, triangles, colours), size=SIZE)
    with pytest.raises(ValueError, match="ground_vertices"):
        PictureScene(vertices, triangles, colours, broken, triangles)
    with pytest.raises(ValueError, match="outside"):
        PictureScene(vertices, triangles + 1, colours)
    with pytest.raises(ValueError, match="integers"):
        PictureScene(vertices, triangles.astype(float), colours)
    with pytest.raises(ValueError, match="shape"):
        PictureScene(vertices[:, :2], triangles, colours)
    with pytest.raises(ValueError, match="colours"):
        PictureScene(vertices, triangles, colours[:5])
    with pytest.raises(ValueError, match="size"):
        render(PictureScene(vertices, triangles, colours), size=(0, 10))
    for wrong in ({"elevation_deg": 0.0}, {"fov_deg": 180.0}, {"zoom": 0.0}, {"target": (0.0, 0.0, 0.0)}):
        with pytest.raises(ValueError, match=r"must|both"):
            Camera(**wrong)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    shift=st.tuples(*[st.floats(-1e6, 1e6)] * 2, st.floats(-400, 4000)),
    azimuth=st.one_of(st.none(), st.floats(-180, 360)),
    elevation=st.floats(5, 90),
    fov=st.floats(2, 90),
)
def test_framing_fits_every_point_tightly(shift, azimuth, elevation, fov):
    points = np.random.default_rng(3).uniform(-1, 1, (300, 3)) * [400.0, 250.0, 20.0] + shift
    view = frame(points, Camera(azimuth, elevation, fov), SIZE)
    pixels, depth = view.project(points)
    share = pixels / SIZE
    assert (depth > 0).all()
    assert (share > 0.0).all()
    assert (share < 1.0).all()
    assert max(np.ptp(share, axis=0)) > 0.9
    rays = view.rays(pixels[:, 0], pixels[:, 1])
    toward = points - view.origin
    assert np.allclose(rays, toward / np.linalg.norm(toward, axis=1)[:, None], atol=1e-6)


def test_one_endless_building_does_not_shrink_the_town():
    town = cubes([(x * 20.0, y * 20.0, 0.0) for x in range(15) for y in range(15)])
    vertices, triangles, colours = cube(size=1.0)
    endless = PictureScene(
        np.concatenate([town.vertices, vertices * [40_000.0, 10.0, 900.0]]),
        np.concatenate([town.triangles, triangles + len(town.vertices)]),
        np.concatenate([town.colours, colours]),
    )
    plain, robust = (frame(gather(scene).town, Camera(), SIZE) for scene in (town, endless))
    assert robust.pixel_m == pytest.approx(plain.pixel_m, rel=0.02)
    tower = np.concatenate([town.vertices, [[0.0, 0.0, 150.0]]])
    assert len(townlike(tower)) == len(tower)


def test_picture_does_not_depend_on_where_the_town_lies(renderer):
    scene = PictureScene(*cube(), *wavy())
    move = np.array([512_000.0, 5_400_000.0, 40.0])
    far = PictureScene(scene.vertices + move, *cube()[1:], scene.ground_vertices + move, scene.ground_triangles)
    style = Style(contours=0.0)
    difference = np.abs(render(scene, size=SIZE, style=style).astype(int) - render(far, size=SIZE, style=style))
    assert np.mean(difference > 2) < 0.005


def test_given_place_of_the_camera_is_kept():
    scene = PictureScene(*cube(at=(100.0, 50.0, 0.0)))
    style = Style(show_backfaces=True)
    seen = render(
        scene, size=SIZE, camera=Camera(0.0, 90.0, 20.0, target=(100.0, 50.0, 10.0), distance_m=80.0), style=style
    )
    aside = render(
        scene, size=SIZE, camera=Camera(0.0, 90.0, 20.0, target=(160.0, 50.0, 10.0), distance_m=80.0), style=style
    )
    assert np.abs(seen[50, 80].astype(int) - aside[50, 80]).max() > 4


def test_coplanar_triangles_are_one_surface_and_the_ground_is_another():
    surfaces = gather(PictureScene(*cube(), *wavy()))
    walls = surfaces.surface[: surfaces.ground_from].reshape(6, 2)
    assert (walls[:, 0] == walls[:, 1]).all()
    assert len(np.unique(walls)) == 6
    assert (surfaces.surface[surfaces.ground_from :] == GROUND).all()
    assert (surfaces.normals[surfaces.ground_from :, 2] > 0).all()


def test_rays_keep_their_memory_in_blocks():
    if not extras.has("embreex"):
        pytest.skip("embreex has no wheel here")
    scene = PictureScene(*cube(), *wavy())
    render(scene, size=(64, 40))
    peaks = []
    for size in ((400, 250), (800, 500)):
        tracemalloc.start()
        render(scene, size=size)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # buffers and images grow by some 90 bytes a pixel; rays and hits, kilobytes a pixel, do not
    assert peaks[1] - peaks[0] < 130 * (800 * 500 - 400 * 250)


def test_srgb_there_and_back():
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_srgb(to_linear(every)), every)


def test_hemispheres_follow_the_cosine_about_any_normal():
    normals = np.random.default_rng(1).normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    normals[:2] = [[0, 0, 1], [0, 0, -1]]
    local = hemispheres(8).reshape(1, -1, 3)
    directions = around(normals, np.broadcast_to(local, (50, 128, 3)))
    assert np.allclose(np.linalg.norm(directions, axis=2), 1.0)
    cosine = np.einsum("nrk,nk->nr", directions, normals)
    assert (cosine >= 0).all()
    assert np.allclose(cosine, local[..., 2])
    assert np.allclose(cosine.mean(axis=1), 2.0 / 3.0, atol=0.02)


def test_relief_greys_the_steep_and_stays_muted():
    slopes = [0.0, 0.3, 0.8]
    vertices = np.array([[x, y, k * x] for k in slopes for x, y in ((0, 0), (10, 0), (0, 10))], float)
    colours = relief_colours(vertices, np.arange(9).reshape(3, 3)).astype(int)
    greenness = colours[:, 1] - colours[:, [0, 2]].mean(axis=1)
    assert (np.diff(greenness) < 0).all()
    assert np.ptp(colours, axis=1).max() < 60
    assert len(relief_colours(np.zeros((0, 3)), np.zeros((0, 3), np.int64))) == 0
    steep = relief_colours(np.array([[0.0, 0, 0], [0, 0, 5], [0, 5, 0]]), np.array([[0, 1, 2]]))
    assert steep.shape == (1, 3)


def test_building_colours_follow_the_building():
    rng = np.random.default_rng(5)
    vertices = rng.uniform(0, 900, (300, 3))
    triangles = np.arange(300).reshape(100, 3)
    building = np.repeat(np.arange(50), 2)
    roof, flat = np.tile([False, True], 50), np.repeat(np.arange(50) % 2 == 0, 2)
    colours = building_colours(vertices, triangles, building, roof=roof, flat=flat)
    assert colours.shape == (100, 3)
    pitched = colours[roof & ~flat].astype(int)
    walls = colours[~roof].astype(int)
    assert walls.min() > 150
    assert (pitched.mean(axis=1) < walls.mean(axis=1).min()).all()
    assert len(np.unique(walls, axis=0)) > 30
    order = rng.permutation(100)
    again = building_colours(vertices, triangles[order], building[order], roof=roof[order], flat=flat[order])
    assert np.array_equal(again, colours[order])
    none = building_colours(vertices, triangles[:0], building[:0], roof=roof[:0], flat=flat[:0])
    assert none.shape == (0, 3)
    with pytest.raises(ValueError, match="length"):
        building_colours(vertices, triangles, building[:5], roof=roof, flat=flat)


def test_contact_sheet_holds_every_picture_and_title():
    images = [np.full((30, 50, 3), 10 * k, np.uint8) for k in range(1, 6)] + [np.full((20, 40, 3), 250, np.uint8)]
    sheet = contact_sheet(
        images, ["flat", "gabled", "a title that is far too long for its cell", "", "e", "f"], columns=3
    )
    for image in images:
        assert np.count_nonzero((sheet == image[0, 0]).all(axis=2)) >= image[..., 0].size
    untitled = contact_sheet(images, [""] * 6, columns=3)
    assert untitled.shape == sheet.shape
    assert (untitled != sheet).any()
    assert np.array_equal(
        sheet,
        contact_sheet(images, ["flat", "gabled", "a title that is far too long for its cell", "", "e", "f"], columns=3),
    )
    for wrong in (([], [], 1), (images, ["a"], 1), (images, [""] * 6, 0), ([np.zeros((3, 3))], [""], 1)):
        with pytest.raises(ValueError, match="image"):
            contact_sheet(wrong[0], wrong[1], columns=wrong[2])


def test_default_style_is_frozen(tmp_path: Path):
    with pytest.raises(AttributeError):
        DEFAULT_STYLE.haze = 1.0
