"""CityGML: footprints from every way to write surfaces, attributes, axis order and CRS names, and hostile XML."""

import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import shapely

from city_models import NAMESPACES, bounded, box_surfaces, building, city_gml, gml_box, level, members, polygon, square
from citygen.errors import InputError, MissingCRSError
from citygen.sources.base import SOURCES, SourceOptions, open_source
from citygen.sources.city_crs import horizontal_code, settle_crs

CRS = "EPSG:25832"
X, Y = 500_100.0, 5_700_100.0


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def read(path: Path, **options: Any) -> pa.Table:
    tables = list(open_source(path, SourceOptions(**options)).batches(None))
    return pa.concat_tables(tables) if tables else pa.table({"id": pa.array([], pa.string())})


def rows(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in table.to_pylist()}


def footprint(row: dict[str, Any]) -> Any:
    return shapely.from_wkb(row["geometry"])


def one(tmp_path: Path, inner: str, *, crs: str | None = CRS) -> dict[str, Any]:
    return rows(read(write(tmp_path / "a.gml", city_gml([building("a", inner)], crs=crs))))["a"]


def href(name: str) -> str:
    return f'<gml:surfaceMember xlink:href="{name}"/>'


def solid(inner: str) -> str:
    composite = f"<gml:CompositeSurface>{inner}</gml:CompositeSurface>"
    return f"<bldg:lod2Solid><gml:Solid><gml:exterior>{composite}</gml:exterior></gml:Solid></bldg:lod2Solid>"


def test_a_box_with_everything_said_of_it(tmp_path: Path) -> None:
    said = (
        '<gml:name>Haus "Ä" &amp; Co</gml:name><creationDate>2020-12-18</creationDate>'
        '<gen:stringAttribute name="Gemeinde"><gen:value>05370024</gen:value></gen:stringAttribute>'
        '<gen:intAttribute name="n"><gen:value>7</gen:value></gen:intAttribute>'
        '<gen:doubleAttribute name="d"><gen:value>1.5</gen:value></gen:doubleAttribute>'
        '<gen:genericAttributeSet name="s"><gen:stringAttribute name="inner"><gen:value>x</gen:value>'
        "</gen:stringAttribute></gen:genericAttributeSet>"
        '<gen:stringAttribute name="roofType"><gen:value>other</gen:value></gen:stringAttribute>'
        "<bldg:class>1000</bldg:class><bldg:function>31001_1010</bldg:function><bldg:function>31001_2463</bldg:function>"
        "<bldg:roofType>3100</bldg:roofType>"
        '<bldg:measuredHeight uom="urn:adv:uom:m">7.25</bldg:measuredHeight>'
        "<bldg:storeysAboveGround>2</bldg:storeysAboveGround>"
        '<bldg:storeyHeightsAboveGround uom="m">3.0 2.8</bldg:storeyHeightsAboveGround>'
    )
    row = one(tmp_path, said + gml_box(square(X, Y), 2.0, 9.25))
    assert shapely.equals(footprint(row), shapely.box(X, Y, X + 10, Y + 10))
    del row["geometry"]
    assert row == {
        "id": "a", "problem": None, "row": 0, "name": 'Haus "Ä" & Co', "creationDate": "2020-12-18", "class": "1000",
        "function": "31001_1010", "function_other": "31001_2463", "roofType": "3100", "measuredHeight": 7.25,
        "storeysAboveGround": 2, "storeyHeightsAboveGround": "3.0 2.8", "Gemeinde": "05370024", "n": 7, "d": 1.5,
        "inner": "x", "gen:roofType": "other", "object_type": "Building", "parent": None, "part": None, "model_lod": 2.0,
        "model_ground_z": 2.0, "model_eave_z": 9.25, "model_ridge_z": 9.25,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("m", 12.0),
        ("#m", 12.0),
        ("", 12.0),
        ("metre", 12.0),
        ("http://x/def/uom/m", 12.0),
        ("ft", "12 ft"),
        ("urn:x:ft", "12 ft"),
    ],
)
def test_heights_keep_a_unit_that_is_no_metre(tmp_path: Path, unit: str, value: Any) -> None:
    row = one(tmp_path, f'<bldg:measuredHeight uom="{unit}">12</bldg:measuredHeight>' + gml_box(square(X, Y), 0.0, 9.0))
    assert row["measuredHeight"] == value


def test_ground_surfaces_with_holes_are_united(tmp_path: Path) -> None:
    west = [[X, Y], [X + 4, Y], [X + 4, Y + 10], [X, Y + 10]]
    east = [[X + 4, Y], [X + 10, Y], [X + 10, Y + 10], [X + 4, Y + 10]]
    yard = [[X + 6, Y + 3], [X + 6, Y + 6], [X + 9, Y + 6], [X + 9, Y + 3]]
    inner = bounded("GroundSurface", [polygon([level(west, 1.0)]), polygon([level(east, 2.0), level(yard, 2.0)])])
    inner += bounded("RoofSurface", [polygon([level(square(X - 1, Y - 1, 12), 8.0)])])
    row = one(tmp_path, inner)
    assert shapely.equals(footprint(row), shapely.difference(shapely.box(X, Y, X + 10, Y + 10), shapely.Polygon(yard)))
    assert (row["model_ground_z"], row["model_eave_z"], row["model_ridge_z"]) == (1.0, 8.0, 8.0)


def test_references_into_the_building_are_followed_and_no_others(tmp_path: Path) -> None:
    parts = [polygon(rings, f"p{k}") for k, (_, rings) in enumerate(box_surfaces(square(X, Y), 0.0, 5.0))]
    refs = "".join(href(f"#p{k}") for k in range(6))
    thematic = (
        bounded("GroundSurface", parts[:1]) + bounded("RoofSurface", parts[1:2]) + bounded("WallSurface", parts[2:])
    )
    assert footprint(one(tmp_path, solid(refs) + thematic)).area == 100.0
    # thematic surfaces that are references into the solid, and an orientable surface that turns one
    inside = "".join(f"<gml:surfaceMember>{p}</gml:surfaceMember>" for p in parts)
    turned = '<gml:OrientableSurface orientation="-"><gml:baseSurface xlink:href="#p0"/></gml:OrientableSurface>'
    ground = bounded("GroundSurface", [turned])
    row = one(tmp_path, solid(inside) + ground)
    assert (footprint(row).area, row["model_ground_z"]) == (100.0, 0.0)
    for target in ("#elsewhere", "http://127.0.0.1:9/x.gml#p0", "file:///etc/passwd#p0"):
        row = one(tmp_path, solid(href(target)))
        assert row["geometry"] is None
        assert target in row["problem"]


def test_references_in_circles_chains_and_multiples_end(tmp_path: Path) -> None:
    def composite(name: str, inner: str) -> str:
        return f'<gml:surfaceMember><gml:CompositeSurface gml:id="{name}">{inner}</gml:CompositeSurface></gml:surfaceMember>'

    def wrapped(inner: str) -> str:
        return f"<bldg:lod2MultiSurface><gml:MultiSurface>{inner}</gml:MultiSurface></bldg:lod2MultiSurface>"

    assert one(tmp_path, wrapped(composite("c", href("#c") * 2)))["geometry"] is None
    floor = f"<gml:surfaceMember>{polygon([level(square(X, Y), 0.0)])}</gml:surfaceMember>"
    bomb = "".join(composite(f"c{k}", href(f"#c{k + 1}") * 10) for k in range(40)) + composite("c40", floor)
    assert footprint(one(tmp_path, wrapped(bomb))).area == 100.0
    chain = "".join(composite(f"c{k}", href(f"#c{k + 1}")) for k in range(3000)) + composite("c3000", floor)
    assert footprint(one(tmp_path, wrapped(chain))).area == 100.0


def test_references_that_multiply_are_a_problem_and_no_hang(tmp_path: Path) -> None:
    faces = "".join(
        f"<gml:surfaceMember>{polygon([level(square(X, Y), 0.0)])}</gml:surfaceMember>" for _ in range(1000)
    )
    whole = f'<bldg:lod1MultiSurface><gml:MultiSurface gml:id="m">{faces}</gml:MultiSurface></bldg:lod1MultiSurface>'
    again = '<bldg:lod2MultiSurface xlink:href="#m"/>'
    roofs = f"<bldg:boundedBy><bldg:RoofSurface>{again}</bldg:RoofSurface></bldg:boundedBy>" * 1000
    row = one(tmp_path, whole + roofs)
    assert row["geometry"] is None
    assert "over and over" in row["problem"]


WAYS = {
    "posList": "<gml:posList>0 0 1 4 0 1 4 3 1 0 3 1 0 0 1</gml:posList>",
    "posList 2D": '<gml:posList srsDimension="2">0 0 4 0 4 3 0 3 0 0</gml:posList>',
    "pos": "".join(f"<gml:pos>{p}</gml:pos>" for p in ("0 0 1", "4 0 1", "4 3 1", "0 3 1", "0 0 1")),
    "pos 2D": "".join(f"<gml:pos>{p}</gml:pos>" for p in ("0 0", "4 0", "4 3", "0 3", "0 0")),
    "coordinates": "<gml:coordinates>0,0,1 4,0,1 4,3,1 0,3,1 0,0,1</gml:coordinates>",
    "own separators": '<gml:coordinates cs=" " ts=";">0 0 1;4 0 1;4 3 1;0 3 1;0 0 1</gml:coordinates>',
    "pointProperty": "".join(
        f"<gml:pointProperty><gml:Point><gml:pos>{p}</gml:pos></gml:Point></gml:pointProperty>"
        for p in ("0 0 1", "4 0 1", "4 3 1", "0 3 1", "0 0 1")
    ),
    "not closed": "<gml:posList>0 0 1 4 0 1 4 3 1 0 3 1</gml:posList>",
    "exponents and line breaks": "<gml:posList>0 0 1\n 4e0 0 1\t4 .3e1 1 -0 3 1 0 0 1</gml:posList>",
}


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("face", ["Polygon", "Triangle", "Rectangle", "PolygonPatch"])
def test_every_way_to_write_a_ring(tmp_path: Path, name: str, face: str) -> None:
    ring = f"<gml:exterior><gml:LinearRing>{WAYS[name]}</gml:LinearRing></gml:exterior>"
    if face == "PolygonPatch":
        shape = f"<gml:Surface><gml:patches><gml:PolygonPatch>{ring}</gml:PolygonPatch></gml:patches></gml:Surface>"
    else:
        shape = f"<gml:{face}>{ring}</gml:{face}>"
    row = one(tmp_path, bounded("GroundSurface", [shape]))
    assert shapely.equals(footprint(row), shapely.box(0, 0, 4, 3))
    assert row["model_ground_z"] == (None if "2D" in name else 1.0)


BROKEN = {
    "a word": ("<gml:posList>0 0 1 4 0 x 4 3 1 0 0 1</gml:posList>", "a coordinate is not a number"),
    "NaN": ("<gml:posList>0 0 1 NaN 0 1 4 3 1 0 0 1</gml:posList>", "a coordinate is NaN or infinite"),
    "infinite": ("<gml:posList>0 0 1 inf 0 1 4 3 1 0 0 1</gml:posList>", "a coordinate is NaN or infinite"),
    "one short": ("<gml:posList>0 0 1 4 0 1 4 3 1 0 3 1 0 0</gml:posList>", "14 numbers are no points of 3"),
    "mixed": ("<gml:pos>0 0 1</gml:pos><gml:pos>4 0</gml:pos><gml:pos>4 3 1</gml:pos>", "positions differ in length"),
    "nothing": ("", "a ring without points (LinearRing) is not read"),
    "a point": ("<gml:posList>1 1 1 1 1 1</gml:posList>", "none of its 1 surfaces has an area in plan"),
    "a line": ("<gml:posList>1 1 1 2 2 2 3 3 3 1 1 1</gml:posList>", "none of its 1 surfaces has an area in plan"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_ring_is_its_buildings_problem_alone(tmp_path: Path, name: str) -> None:
    ring, why = BROKEN[name]
    face = f"<gml:Polygon><gml:exterior><gml:LinearRing>{ring}</gml:LinearRing></gml:exterior></gml:Polygon>"
    bad = building("bad", bounded("GroundSurface", [face]))
    text = city_gml(
        [building("a", gml_box(square(X, Y), 0.0, 5.0)), bad, building("b", gml_box(square(X, Y), 0.0, 5.0))], crs=CRS
    )
    got = rows(read(write(tmp_path / "a.gml", text)))
    assert list(got) == ["a", "bad", "b"]
    if name == "nothing":
        assert got["bad"]["geometry"] is None
    else:
        assert (got["bad"]["geometry"], got["bad"]["problem"]) == (None, why)
    assert [footprint(got[k]).area for k in "ab"] == [100.0, 100.0]


def test_outlines_of_lod_0_and_higher_levels(tmp_path: Path) -> None:
    foot = f"<bldg:lod0FootPrint>{members([polygon([level(square(X, Y, 11), 3.0)])])}</bldg:lod0FootPrint>"
    edge = f"<bldg:lod0RoofEdge>{members([polygon([level(square(X, Y, 12), 8.0)])])}</bldg:lod0RoofEdge>"
    box = gml_box(square(X, Y), 2.0, 9.0)
    sizes = {foot + edge + box: 121.0, edge + box: 100.0, edge: 144.0, foot: 121.0, edge + foot: 121.0}
    for inner, area in sizes.items():
        assert footprint(one(tmp_path, inner)).area == area
    row = one(tmp_path, foot)
    assert (row["model_lod"], row["model_ground_z"], row["model_ridge_z"]) == (0.0, 3.0, None)
    lod1 = solid(
        "".join(f"<gml:surfaceMember>{polygon(r)}</gml:surfaceMember>" for _, r in box_surfaces(square(X, Y), 1, 6))
    )
    row = one(tmp_path, lod1.replace("lod2", "lod1"))
    assert (footprint(row).area, row["model_lod"], row["model_ground_z"], row["model_eave_z"]) == (
        100.0,
        1.0,
        1.0,
        None,
    )
    row = one(tmp_path, bounded("RoofSurface", [polygon([level(square(X, Y, 20), 9.0)])], 3) + box)
    assert (footprint(row).area, row["model_lod"], row["model_ridge_z"]) == (100.0, 3.0, 9.0)


def test_parts_and_what_they_inherit(tmp_path: Path) -> None:
    def part(name: str, x: float, inner: str = "") -> str:
        own = building(name, inner + gml_box(square(x, Y), 0.0, 5.0), "BuildingPart")
        return f"<bldg:consistsOfBuildingPart>{own}</bldg:consistsOfBuildingPart>"

    height = '<bldg:measuredHeight uom="m">9</bldg:measuredHeight>'
    function = "<bldg:function>1000</bldg:function>"
    roof = "<bldg:roofType>1030</bldg:roofType>"
    text = city_gml(
        [
            building(
                "two", function + roof + height + part("two-1", X, roof.replace("1030", "1000")) + part("two-2", X + 10)
            ),
            building("one", height + part("one-1", X)),
            building("own", function + gml_box(square(X, Y, 20), 0.0, 5.0) + part("own-1", X)),
            building("empty", function),
            building(
                "shell",
                f"<bldg:consistsOfBuildingPart>{building('core', '', 'BuildingPart')}</bldg:consistsOfBuildingPart>",
            ),
        ],
        crs=CRS,
    )
    got = rows(read(write(tmp_path / "a.gml", text)))
    facts = {
        k: tuple(v[c] for c in ("parent", "part", "function", "roofType", "measuredHeight")) for k, v in got.items()
    }
    assert facts == {
        "two-1": ("two", None, "1000", "1000", None),
        "two-2": ("two", None, "1000", "1030", None),
        "one-1": ("one", None, None, None, 9.0),
        "own": (None, None, "1000", None, None),
        "own-1": ("own", "yes", "1000", None, None),
        "empty": (None, None, "1000", None, None),
        "shell": (None, None, None, None, None),
        "core": ("shell", None, None, None, None),
    }
    assert [k for k, v in got.items() if v["geometry"] is None] == ["empty", "shell", "core"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("EPSG:25832", "EPSG:25832"),
        ("urn:ogc:def:crs:EPSG::25832", "EPSG:25832"),
        ("urn:ogc:def:crs,crs:EPSG::25832,crs:EPSG::7837", "EPSG:25832"),
        ("urn:ogc:def:crs,crs:EPSG:6.12:31256,crs:EPSG:6.12:5778", "EPSG:31256"),
        ("http://www.opengis.net/def/crs/EPSG/0/5555", "EPSG:5555"),
        (
            "http://www.opengis.net/def/crs-compound?1=http://www.opengis.net/def/crs/EPSG/0/25833&2=http://x/7837",
            "EPSG:25833",
        ),
        ("http://www.opengis.net/gml/srs/epsg.xml#4326", "EPSG:4326"),
        ("EPSG:25832+7837", "EPSG:25832"),
        ("EPSG:25832+EPSG:7837", "EPSG:25832"),
        ("urn:adv:crs:ETRS89_UTM32*DE_DHHN2016_NH*GCG2016", "EPSG:25832"),
        ("urn:adv:crs:ETRS89_UTM33*DE_DHHN92_NH", "EPSG:25833"),
        ("urn:adv:crs:DE_DHDN_3GK3*DE_DHHN92_NH", "EPSG:31467"),
        ("urn:adv:crs:DE_DHDN_3GK4_BY120", "EPSG:31468"),
        ("urn:adv:crs:ETRS89_Lat-Lon-h", "EPSG:4258"),
        ("urn:adv:crs:DE_DHDN_3GK9", "urn:adv:crs:DE_DHDN_3GK9"),
    ],
)
def test_how_models_name_their_reference_system(said: str, code: str) -> None:
    assert horizontal_code(said) == code


BERLIN = (13.40, 52.51, 13.42, 52.53)
BERLIN_GK = (4_592_000.0, 5_820_000.0, 4_593_000.0, 5_821_000.0)
VIENNA = (983.16, 340_433.9, 1510.4, 341_048.5)
TOKYO = (139.74, 35.68, 139.75, 35.69)


def turned(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    return box[1], box[0], box[3], box[2]


@pytest.mark.parametrize(
    ("said", "bounds", "crs", "swapped"),
    [
        ("urn:ogc:def:crs:EPSG::4326", turned(BERLIN), "EPSG:4326", True),
        ("http://www.opengis.net/def/crs/EPSG/0/4326", turned(BERLIN), "EPSG:4326", True),
        ("EPSG:4326", BERLIN, "EPSG:4326", False),
        ("http://www.opengis.net/gml/srs/epsg.xml#4326", BERLIN, "EPSG:4326", False),
        ("http://www.opengis.net/def/crs/EPSG/0/6697", turned(TOKYO), "EPSG:6668", True),
        ("http://www.opengis.net/def/crs/EPSG/0/6697", TOKYO, "EPSG:6668", False),  # against its authority
        ("urn:ogc:def:crs:EPSG::31468", turned(BERLIN_GK), "EPSG:31468", True),
        ("urn:ogc:def:crs:EPSG::31468", BERLIN_GK, "EPSG:31468", False),  # as most files have it
        ("urn:adv:crs:DE_DHDN_3GK4", BERLIN_GK, "EPSG:31468", False),
        ("urn:ogc:def:crs,crs:EPSG::31256", VIENNA, "EPSG:31256", False),
        ("urn:adv:crs:ETRS89_Lat-Lon", turned(BERLIN), "EPSG:4258", True),
        (
            "urn:adv:crs:ETRS89_UTM32*DE_DHHN92_NH",
            (3.2e7 + 280_000, 5.65e6, 3.2e7 + 281_000, 5.66e6),
            "EPSG:4647",
            False,
        ),
        ("urn:ogc:def:crs:EPSG::7415", (78_248.0, 457_660.0, 78_648.0, 458_276.0), "EPSG:28992", False),
    ],
)
def test_axes_are_read_in_the_order_that_is_said_unless_that_lies_elsewhere(
    said: str, bounds: tuple[float, float, float, float], crs: str, swapped: bool
) -> None:
    assert settle_crs(said, bounds, where=Path("a.gml"), given=None) == (crs, swapped)


def test_latitude_first_comes_out_as_x_y(tmp_path: Path) -> None:
    outline = [[52.51, 13.40], [52.51, 13.41], [52.52, 13.41], [52.52, 13.40]]
    text = city_gml([building("a", gml_box(outline, 30.0, 40.0))], crs="urn:ogc:def:crs:EPSG::4326")
    path = write(tmp_path / "a.gml", text)
    source = open_source(path)
    assert (source.info.crs, source.info.bounds) == ("EPSG:4326", (13.40, 52.51, 13.41, 52.52))
    row = rows(read(path))["a"]
    assert footprint(row).bounds == (13.40, 52.51, 13.41, 52.52)
    assert row["model_ridge_z"] == 40.0
    inside = list(source.batches((13.405, 52.515, 13.406, 52.516)))
    assert inside[0]["id"].to_pylist() == ["a"]
    assert list(source.batches((52.51, 13.40, 52.52, 13.41))) == []


def test_where_it_lies_is_found_on_geometries_too(tmp_path: Path) -> None:
    box = gml_box(square(X, Y), 0.0, 5.0)
    here = box.replace("<gml:MultiSurface>", '<gml:MultiSurface srsName="urn:ogc:def:crs:EPSG::25832">')
    there = box.replace("<gml:MultiSurface>", '<gml:MultiSurface srsName="urn:ogc:def:crs:EPSG::25833">')
    path = write(tmp_path / "a.gml", city_gml([building("a", box)], crs=None))
    with pytest.raises(MissingCRSError, match="--source-crs"):
        open_source(path)
    assert open_source(path, SourceOptions(crs=CRS)).info.crs == CRS
    path = write(
        tmp_path / "b.gml", city_gml([building("a", here), building("b", there), building("c", box)], crs=None)
    )
    assert open_source(path).info.crs == CRS
    got = rows(read(path))
    assert [row["problem"] is None for row in got.values()] == [True, False, True]
    assert "EPSG::25833" in got["b"]["problem"]
    assert all(row["problem"] is None for row in read(path, crs=CRS).to_pylist())


def test_version_1_is_read_and_3_is_refused(tmp_path: Path) -> None:
    text = city_gml([building("a", gml_box(square(X, Y), 0.0, 5.0))], crs=CRS)
    assert footprint(rows(read(write(tmp_path / "a.gml", text.replace("/2.0", "/1.0"))))["a"]).area == 100.0
    with pytest.raises(InputError, match=r"CityGML 3\.0 is not read"):
        open_source(write(tmp_path / "b.gml", text.replace("/2.0", "/3.0")))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = city_gml([building("Größe", "<gml:name>ß</gml:name>" + gml_box(square(X, Y), 0.0, 5.0))], crs=CRS)
    said = {"utf-8-sig": "UTF-8"}.get(encoding, encoding.upper())
    path = write(tmp_path / "a", text.replace('encoding="UTF-8"', f'encoding="{said}"'), encoding)
    assert [name for name in SOURCES.names() if SOURCES[name].sniff(path.read_bytes()[:4096])] == ["citygml"]
    assert read(path).to_pylist()[0] | {"geometry": 0} == read(path).to_pylist()[0] | {
        "geometry": 0,
        "id": "Größe",
        "name": "ß",
    }


DOCTYPES = {
    "external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    "external parameter entity": '<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1:{port}/x.dtd"> %e;]>',
    "external DTD": '<!DOCTYPE CityModel SYSTEM "http://127.0.0.1:{port}/x.dtd">',
    "entity bomb": "<!DOCTYPE x ["
    + '<!ENTITY e0 "aaaaaaaaaa">'
    + "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 12))
    + "]>",
    "attribute defaults": '<!DOCTYPE x [<!ATTLIST CityModel a CDATA "b">]>',
}


@pytest.mark.parametrize("name", DOCTYPES)
def test_a_document_type_is_refused_and_nothing_is_fetched(tmp_path: Path, name: str) -> None:
    import socket

    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    server.settimeout(0.3)
    seen: list[int] = []

    def count() -> None:
        try:
            server.accept()
            seen.append(1)
        except TimeoutError:
            pass

    watch = threading.Thread(target=count)
    watch.start()
    head = DOCTYPES[name].replace("{port}", str(server.getsockname()[1])) + "\n"
    entity = "<gml:name>&e11;&e;</gml:name>" if "entity" in name else ""
    text = city_gml([building("a", entity + gml_box(square(X, Y), 0.0, 5.0))], crs=CRS, head=head)
    path = write(tmp_path / "a.gml", text)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(InputError, match="document type declaration") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    watch.join()
    server.close()
    assert seen == []
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda t: t[: len(t) // 2], r"line \d+, column \d+"),
        (lambda t: t.replace("</bldg:Building>", "</bldg:Bldg>", 1), "mismatched tag"),
        (lambda t: t.replace("<bldg:boundedBy>", "<bldg:boundedBy>&nope;", 1), "undefined entity"),
        (lambda t: t.replace("<bldg:boundedBy>", "<nope:boundedBy>", 1), "prefix|mismatched"),
        (lambda t: t.replace('encoding="UTF-8"', 'encoding="klingon"'), "unknown encoding"),
        (lambda t: t.replace("<bldg:boundedBy>", "<a>" * 100_000, 1), "nested more than 200 deep"),
        (lambda t: t + "<x/>", "junk after document element"),
    ],
)
def test_broken_xml_says_where(tmp_path: Path, damage: Any, match: str) -> None:
    text = city_gml([building("a", gml_box(square(X, Y), 0.0, 5.0))], crs=CRS)
    with pytest.raises(InputError, match=match) as caught:
        read(write(tmp_path / "a.gml", damage(text)))
    assert "\n" not in str(caught.value)
    assert "a.gml" in str(caught.value)


@pytest.mark.parametrize("text", ["<html><body/></html>", "<kml/>", "<?xml version='1.0'?><gml:FeatureCollection/>"])
def test_other_xml_is_told_from_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="no source reads"):
        open_source(write(tmp_path / "a.gml", text))


def test_other_objects_are_passed_over(tmp_path: Path) -> None:
    face = members([polygon([level(square(X, Y), 0)])])
    space = "http://www.opengis.net/citygml/landuse/2.0"
    land = f"<LandUse xmlns='{space}'><lod1MultiSurface>{face}</lod1MultiSurface></LandUse>"
    stairs = building("i", gml_box(square(X, Y, 50), 0, 5), "BuildingInstallation")
    installation = f"<bldg:outerBuildingInstallation>{stairs}</bldg:outerBuildingInstallation>"
    room = f"<bldg:interiorRoom>{building('r', gml_box(square(X, Y, 50), 0, 5), 'Room')}</bldg:interiorRoom>"
    text = city_gml([land, building("a", installation + room + gml_box(square(X, Y), 0.0, 5.0))], crs=CRS)
    table = read(write(tmp_path / "a.gml", text))
    assert table["id"].to_pylist() == ["a"]
    assert footprint(table.to_pylist()[0]).area == 100.0


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "a.gml"
    start, end = city_gml(["@"], crs=CRS).split("<cityObjectMember>@</cityObjectMember>\n")
    one_building = building("b", gml_box(square(X, Y), 0.0, 5.0))

    def peak(count: int) -> int:
        with path.open("w", encoding="utf-8") as file:
            file.write(start)
            for _ in range(count):
                file.write(f"<cityObjectMember>{one_building}</cityObjectMember>\n")
            file.write(end)
        source = open_source(path)
        tracemalloc.start()
        seen = sum(batch.num_rows for batch in source.batches(None, batch_rows=256))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert seen == count
        return top

    small, large = peak(1024), peak(4096)
    assert large < 1.2 * small
    assert NAMESPACES in start
