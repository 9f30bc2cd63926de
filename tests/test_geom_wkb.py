"""WKB without objects: the same coordinates, bytes and extents as Shapely's, and no reading past the end of broken bytes."""

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from citygen.geom.wkb import Plain, bounds, read_plain, write_plain
from citygen.model.binary import binary_buffers


def polygons() -> st.SearchStrategy[shapely.Polygon]:
    box = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(1, 100), st.booleans(), st.booleans())

    def make(values: tuple[float, float, float, bool, bool]) -> shapely.Polygon:
        x, y, size, hole, high = values
        shell = shapely.box(x, y, x + size, y + size)
        cut = shapely.box(x + size / 4, y + size / 4, x + size / 2, y + size / 2)
        shape = shapely.Polygon(shell.exterior, [cut.exterior] if hole else [])
        return shapely.force_3d(shape, 7.0) if high else shape

    return box.map(make)


SHAPES = st.one_of(
    polygons(),
    st.lists(polygons(), min_size=1, max_size=3).map(shapely.MultiPolygon),
    st.sampled_from([None, shapely.Point(1, 2), shapely.Polygon(), shapely.LineString([(0, 0), (1, 1)])]),
)


@settings(deadline=None)
@given(st.lists(SHAPES, max_size=8), st.sampled_from(["iso", "extended"]), st.integers(0, 2))
def test_same_as_shapely(shapes: list, flavor: str, cut: int) -> None:
    raw = [None if g is None else shapely.to_wkb(g, flavor=flavor) for g in shapes]
    column = pa.array(raw, pa.binary())[cut:]
    shapes = shapes[cut:]
    place = binary_buffers(column)
    plain = read_plain(*place)
    expected = [g is not None and g.geom_type in {"Polygon", "MultiPolygon"} and not g.is_empty for g in shapes]
    assert plain.rows.tolist() == expected
    out, places = write_plain(*place, Plain(plain.rows, plain.coords + 1.0, plain.offsets))
    box = bounds(plain)
    for k, (shape, is_plain) in enumerate(zip(shapes, expected, strict=True)):
        mine = plain.coords[plain.offsets[k] : plain.offsets[k + 1]]
        written = out[places[k] : places[k + 1]].tobytes()
        if not is_plain:
            assert len(mine) == 0
            assert written == b""
            assert np.isnan(box[k]).all()
            continue
        assert np.array_equal(mine, shapely.get_coordinates(shape))
        assert box[k].tolist() == list(shape.bounds)
        moved = shapely.transform(shapely.force_2d(shape), lambda xy: xy + 1.0)
        assert written == shapely.to_wkb(moved)


@settings(deadline=None)
@given(polygons(), st.data())
def test_broken_bytes_are_left_to_a_parser(shape: shapely.Polygon, data: st.DataObject) -> None:
    raw = bytearray(shape.wkb)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    whole = np.frombuffer(bytes(raw) + b"\x7f" * 64, np.uint8)  # what lies behind a row belongs to the next one
    plain = read_plain(whole, np.array([0]), np.array([len(raw)]))
    with np.errstate(invalid="ignore"):
        parsed = shapely.from_wkb(bytes(raw), on_invalid="ignore")
    if plain.rows[0]:
        assert parsed is not None
        assert np.array_equal(plain.coords, shapely.get_coordinates(parsed))


@pytest.mark.parametrize(
    "shape",
    [
        shapely.to_wkb(shapely.box(0, 0, 1, 1), byte_order=0),
        shapely.to_wkb(shapely.set_srid(shapely.box(0, 0, 1, 1), 4326), include_srid=True),
        shapely.to_wkb(shapely.from_wkt("POLYGON ((0 0, 1 0, 1 1, 0 0))")).replace(
            np.float64(1).tobytes(), np.float64(np.nan).tobytes()
        ),
    ],
    ids=["big-endian", "srid", "nan"],
)
def test_what_is_not_plain(shape: bytes) -> None:
    data = np.frombuffer(shape, np.uint8)
    plain = read_plain(data, np.array([0]), np.array([len(data)]))
    assert not plain.rows[0]
    assert len(plain.coords) == 0
