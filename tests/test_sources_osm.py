"""OpenStreetMap files: every building and part with its tags, areas as the test grid expects and as osmium draws them."""

import json
import re
import shutil
import struct
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import osmium
import pyarrow as pa
import pytest
import shapely
from osmium import filter as keep

import builds
from citygen.attributes.dialect import recognise_dialect
from citygen.errors import InputError
from citygen.sources.base import SourceOptions, open_source
from citygen.sources.batch import meets
from citygen.sources.openstreetmap.areas import Member, assemble
from osm_files import node, relation, rows, square, way, write

YES = {"building": "yes"}
SUFFIXES = ("osm.pbf", "osm")


# the test grid of osm-testdata


def grid_file(testdata: Path, number: str, to: Path) -> Path:
    """Copy a case; what it tags as land or area becomes a building, so that it is ours to read."""
    text = (testdata / "hardcases/osm-testdata/grid" / f"{number}.osm").read_text(encoding="utf-8")
    path = to / f"{number}.osm"
    path.write_text(re.sub('k="(landuse|natural|area|boundary)"', 'k="building"', text), encoding="utf-8")
    return path


def test_areas_of_the_grid(testdata: Path, tmp_path: Path) -> None:
    expected = json.loads((testdata / "hardcases/osm-testdata/expected.json").read_text(encoding="utf-8"))
    exact = 0
    for number, case in expected.items():
        found = rows(grid_file(testdata, number, tmp_path))
        wanted: dict[str, list[dict[str, Any]]] = {}
        for areas in (case.get("areas") or {}).values():
            for area in areas:
                wanted.setdefault(f"{area['from_type']}/{area['from_id']}", []).append(area)
        assert set(wanted) <= set(found), number
        for name, row in found.items():
            variants = wanted.get(name)
            if variants is None:
                assert "problem" in row, (number, name)  # told what it is not
                continue
            shapes = [shapely.from_wkt(each["wkt"]) for each in variants if each["wkt"] != "INVALID"]
            if any(each["wkt"] == "INVALID" for each in variants):
                mended = "geometry" in row and any(shapely.equals(shape, row["geometry"]) for shape in shapes)
                drawn = "geometry" in row and (not shapely.is_valid(row["geometry"]) or number == "773")
                assert mended or drawn or "problem" in row, (number, name)
                continue
            assert "problem" not in row, (number, name)
            assert shapely.is_valid(row["geometry"])
            assert shapely.equals(row["geometry"], shapes[0]), (number, name)
            told = {key: value for key, value in variants[0]["tags"].items() if key.startswith("test:")}
            assert told.items() <= row.items()
            exact += 1
    assert len(expected) == 75
    assert exact == 44  # every area that the grid draws


def test_the_grid_as_pbf_is_the_same(testdata: Path, tmp_path: Path) -> None:
    for path in sorted((testdata / "hardcases/osm-testdata/grid").glob("[79]*.osm")):
        xml = grid_file(testdata, path.stem, tmp_path)
        pbf = xml.with_suffix(".osm.pbf")
        with osmium.SimpleWriter(str(pbf), overwrite=True) as writer:
            for each in osmium.FileProcessor(str(xml)):
                writer.add(each)
        assert rows(pbf) == rows(xml), path


_XML = {
    "100-correct_but_no_data": 0,
    "101-missing_version": 0,
    "102-wrong_version": "line 2: <osm version='0.1'>",
    "103-old_version": "line 2: <osm version='0.5'>",
    "104-empty_file": "the file is empty",
    "105-incomplete_xml_file": "damaged or cut off",
    "106-invalid_xml_file": 0,
    "107-wrongly_nested_xml_file": "damaged or cut off",
    "108-unknown_top_level": "XML or HTML of a kind that no source reads",
    "120-correct_gzip_file_without_data": "gzip",
    "122-no_osm_element": "XML or HTML of a kind that no source reads",
    "124-unknown_element_in_way": 0,
    "127-missing_member_type": "line 4: a member without type",
    "128-missing_member_ref": "line 4: a member",
    "142-whitespace": 0,
    "200-nodes": 0,
}


@pytest.mark.parametrize("name", _XML)
def test_broken_xml(testdata: Path, name: str) -> None:
    folder = testdata / "hardcases/osm-testdata/xml"
    assert {each.name for each in folder.iterdir()} == set(_XML)
    (path,) = (folder / name).glob("data.osm*")
    if _XML[name] == 0:
        assert rows(path) == {}
    else:
        with pytest.raises(InputError, match=re.escape(str(_XML[name]))) as caught:
            open_source(path)
        assert str(caught.value).startswith(str(path))


# real extracts


def drawn_by_osmium(path: Path) -> dict[str, tuple[Any, dict[str, str]]]:
    """Areas and tags as osmium's assembler gives them."""
    keys, factory, found = keep.KeyFilter("building", "building:part"), osmium.geom.WKBFactory(), {}
    areas = osmium.FileProcessor(str(path)).with_areas(keys).with_filter(keep.EntityFilter(osmium.osm.AREA))
    for area in areas.with_filter(keys):
        tags = dict(area.tags)
        if any(tags.get(key, "no") != "no" for key in ("building", "building:part")):
            name = f"{'way' if area.from_way() else 'relation'}/{area.orig_id()}"
            found[name] = shapely.from_wkb(factory.create_multipolygon(area)), tags
    return found


# path, rows, of them with a problem, buildings, parts that are no building too, taken into relations
_EXTRACTS = [
    ("02_monaco_osm_srtm/monaco-latest.osm.pbf", 1220, 0, 1207, 13, 0),
    ("03_andorra_osm_srtm/andorra.osm.pbf", 294, 2, 294, 0, 0),
    ("04_helsinki_osm_parts/Helsinki.osm.pbf", 630, 60, 498, 132, 2),
    ("05_berlin_siegessaeule_osm_parts/berlin-siegessaeule.osm", 123, 0, 5, 118, 0),
    ("14_nasty/san_diegeo_complex_polygon.osm", 29, 0, 27, 2, 0),
]


@pytest.mark.parametrize(("name", "total", "problems", "buildings", "parts", "taken"), _EXTRACTS)
def test_real_extracts_against_osmium(
    testdata: Path, name: str, total: int, problems: int, buildings: int, parts: int, taken: int
) -> None:
    path = testdata / "realdata" / name
    found, peer = rows(path), drawn_by_osmium(path)
    is_building = [row.get("building", "no") != "no" for row in found.values()]
    is_part = [row.get("building:part", "no") != "no" for row in found.values()]
    assert len(found) == total
    assert sum("problem" in row for row in found.values()) == problems
    assert sum(is_building) == buildings
    assert sum(p and not b for p, b in zip(is_part, is_building, strict=True)) == parts
    assert len(set(peer) - set(found)) == taken
    for name_, (shape, tags) in peer.items():
        if name_ in found:
            row = found[name_]
            assert shapely.equals(row["geometry"], shape), name_
            assert {**row, **tags} == row, name_
    for name_ in set(found) - set(peer):
        row = found[name_]
        assert "problem" in row or row["geometry"].geom_type == "LineString" or not row["geometry"].is_valid, name_


def test_redon_which_is_not_sorted(testdata: Path) -> None:
    found = rows(testdata / "realdata/14_nasty/redon.osm")
    assert len(found) == 1078
    why = Counter(row["problem"].split(" of the ")[1].partition(" ")[2] for row in found.values() if "problem" in row)
    assert why == {"nodes of this way are not in the file or have no place": 51}


@pytest.mark.parametrize(
    ("name", "parts", "outcomes"),
    [
        ("05_berlin_siegessaeule_osm_parts/berlin-siegessaeule.osm", 118, {"ok": 123}),
        ("04_helsinki_osm_parts/Helsinki.osm.pbf", 139, {"rejected": 60}),
    ],
)
def test_a_build_has_a_row_for_each_id(
    testdata: Path, tmp_path: Path, name: str, parts: int, outcomes: dict[str, int]
) -> None:
    path = testdata / "realdata" / name
    found = rows(path)
    builds.build(tmp_path / "out", buildings=[str(path)], ground_z=0.0)
    built = builds.rows(tmp_path / "out")
    assert set(built) == set(found)
    assert sum(row.get("building:part", "no") != "no" for row in found.values()) == parts
    counts = Counter(row["outcome"] for row in built.values())
    assert {key: counts[key] for key in outcomes} == outcomes
    for name_, row in built.items():
        assert (row["outcome"] == "rejected") == ("problem" in found[name_]), name_


_FOREIGN = {
    "coastline_big_island.osm": {},
    "coastline_multiple_coasts.osm": {},
    "issue-203.osm": {"building": 1, "building:part": 4},
    "josm_emoji.osm": {},
    "mp_two_holes.osm": {},
    "mp_two_holes_advanced2.osm": {},
    "mp_two_holes_touching_inners.osm": {},
    "mp_two_outer_roof.osm": {"building": 1},
    "simpleTest01.osm": {"building": 1},
}


@pytest.mark.parametrize("name", _FOREIGN)
def test_files_of_osm2world(testdata: Path, tmp_path: Path, name: str) -> None:
    folder = testdata / "hardcases/files-foreign/osm2world"
    assert {path.name for path in folder.iterdir()} == set(_FOREIGN)
    found = rows(folder / name)
    assert (
        Counter(key for row in found.values() for key in ("building", "building:part") if key in row) == _FOREIGN[name]
    )
    assert all(shapely.is_valid(row["geometry"]) for row in found.values())
    text = (folder / name).read_text(encoding="utf-8")
    path = tmp_path / name
    path.write_text(re.sub("k=['\"](natural|landuse|highway)['\"]", 'k="building"', text), encoding="utf-8")
    areas = rows(path)
    assert len(areas) >= len(found)
    holes = {
        each: shapely.get_num_interior_rings(row["geometry"])
        for each, row in areas.items()
        if each.startswith("relation/") and row["geometry"].geom_type == "Polygon"
    }
    if name.startswith("mp_two_holes"):
        assert max(holes.values()) == 2, areas


def test_files_of_planetiler(testdata: Path) -> None:
    for path in sorted((testdata / "hardcases/files-foreign/planetiler").iterdir()):
        assert open_source(path, SourceOptions(crs="OGC:CRS84")).info.format in ("gpkg", "geojson")


# own files: what relations say


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_row(tmp_path: Path, suffix: str) -> None:
    a, ring = square(1, 13.0, 52.0)
    found = rows(
        write(
            tmp_path / f"a.{suffix}",
            *a,
            node(9, 13.0005, 52.0005, {"roof:apex": "yes"}),
            node(10, 13.0005, 52.0005, {"entrance": "yes"}),
            node(11, 13.0005, 52.0005, {"roof:apex": "no"}),
            way(5, ring, {"building": "house", "name": "Zwölf ☃", "height": "12"}),
            way(6, ring, {"building:part": "yes"}),
            way(7, [1, 3], {"roof:ridge": "yes"}),
            way(8, ring, {"roof:edge": "yes"}),
            way(9, ring, {"building": "no"}),
            way(10, ring, {"landuse": "grass"}),
            way(11, ring, {"building": "no", "building:part": "yes"}),
        )
    )
    assert list(found) == ["way/5", "way/6", "way/7", "way/8", "way/11", "node/9"]
    assert found["way/5"] | {"geometry": None} == {
        "id": "way/5", "row": 0, "geometry": None, "building": "house", "name": "Zwölf ☃", "height": "12"
    }  # fmt: skip
    assert shapely.equals(found["way/5"]["geometry"], shapely.box(13.0, 52.0, 13.001, 52.001))
    assert found["way/7"]["geometry"].wkt == "LINESTRING (13 52, 13.001 52.001)"
    assert found["way/8"]["geometry"].geom_type == "LineString"
    assert found["node/9"]["geometry"].wkt == "POINT (13.0005 52.0005)"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("way_tags", "own"),
    [({}, True), ({"building": "yes", "height": "9"}, True), ({"building": "yes", "height": "9"}, False)],
    ids=["new style", "tagged twice", "old style"],
)
def test_a_multipolygon_is_one_row(tmp_path: Path, suffix: str, way_tags: dict[str, str], own: bool) -> None:
    (a, outer), (b, inner) = square(1, 13.0, 52.0), square(5, 13.0002, 52.0002, 5e-4)
    tags = {"type": "multipolygon", **({"building": "church", "name": "Dom"} if own else {})}
    found = rows(
        write(
            tmp_path / f"a.{suffix}",
            *a,
            *b,
            way(1, outer, way_tags),
            way(2, inner),
            relation(3, [("w", 1, "outer"), ("w", 2, "inner")], tags),
        )
    )
    assert list(found) == ["relation/3"]
    row = found["relation/3"]
    hole = shapely.box(13.0002, 52.0002, 13.0007, 52.0007)
    assert shapely.equals(row["geometry"], shapely.box(13.0, 52.0, 13.001, 52.001) - hole)
    assert row["building"] == ("church" if own else "yes")
    assert row.get("height") == way_tags.get("height")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_building_relations(tmp_path: Path, suffix: str) -> None:
    (a, outline), (b, one), (c, two) = (
        square(1, 13.0, 52.0),
        square(11, 13.0, 52.0, 4e-4),
        square(21, 13.0005, 52.0005, 4e-4),
    )
    found = rows(
        write(
            tmp_path / f"a.{suffix}",
            *a, *b, *c,
            way(1, outline, {"height": "7"}),
            way(2, one, {"building:part": "tower"}),
            way(3, two, {"min_height": "2"}),
            way(4, two, {"barrier": "fence"}),
            way(5, one, {"building:part": "yes"}),
            relation(
                8,
                [("w", 1, "outline"), ("w", 2, "part"), ("w", 3, "part"), ("w", 4, "part"), ("n", 1, "entrance")],
                {"type": "building", "building": "school", "height": "9", "name": "S"},
            ),
            relation(9, [("w", 5, "outline"), ("w", 2, "part")], {"type": "building", "height": "99"}),
        )
    )  # fmt: skip
    assert sorted(found) == ["way/1", "way/2", "way/3", "way/5"]
    assert {key: found["way/1"][key] for key in ("building", "height", "name")} == {
        "building": "school", "height": "7", "name": "S"
    }  # fmt: skip
    assert [found[i].get("osm:outline") for i in sorted(found)] == [None, "way/1", "way/1", None]
    assert [found[i].get("building:part") for i in sorted(found)] == [None, "tower", "yes", "yes"]
    assert "height" not in found["way/5"]  # it calls itself a part, so it is no outline whose tags it could take


def test_an_outline_that_is_a_multipolygon(tmp_path: Path) -> None:
    (a, outer), (b, inner) = square(1, 13.0, 52.0), square(5, 13.0002, 52.0002, 5e-4)
    path = write(
        tmp_path / "a.osm.pbf",
        *a, *b,
        way(1, outer, YES), way(2, inner), way(3, inner, {"building:part": "yes"}),
        relation(3, [("w", 1, "outer"), ("w", 2, "inner")], {"type": "multipolygon", **YES}),
        relation(4, [("w", 1, "outline"), ("w", 3, "part")], {"type": "building", "height": "5"}),
    )  # fmt: skip
    found = rows(path)
    assert list(found) == ["way/3", "relation/3"]
    assert found["way/3"]["osm:outline"] == "relation/3"
    assert found["relation/3"]["height"] == "5"


# own files: what is broken has a row


def test_what_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    a, ring = square(1, 13.0, 52.0)
    found = rows(
        write(
            tmp_path / "a.osm.pbf",
            *a,
            way(1, ring[:-1], YES),
            way(2, [1, 99, 3, 98, 1], YES),
            way(3, [1, 2, 1], YES),
            way(4, [1], YES),
            way(5, [], YES),
            way(6, [1, 97], {"roof:ridge": "yes"}),
            way(7, [1, 2, 3]),
            relation(1, [("w", 7, "outer"), ("w", 70, "outer")], {"type": "multipolygon", **YES}),
            relation(2, [("w", 7, "outer")], {"type": "multipolygon", **YES}),
            relation(3, [], {"type": "multipolygon", **YES}),
            relation(4, [("w", 2, "outer")], {"type": "multipolygon", "building:part": "yes"}),
        )
    )
    assert {name: row["problem"] for name, row in found.items()} == {
        "way/1": "this way is not closed",
        "way/2": "2 of the 5 nodes of this way are not in the file or have no place",
        "way/3": "this way has fewer than three corners",
        "way/4": "this way has 1 nodes",
        "way/5": "this way has 0 nodes",
        "way/6": "1 of the 2 nodes of this way are not in the file or have no place",
        "relation/1": "1 of the 2 ways of this relation are not in the file",
        "relation/2": "a ring is open or splits at 13.0000000, 52.0000000",
        "relation/3": "the relation has no ways",
        "relation/4": "2 of the 5 nodes of its way/2 are not in the file or have no place",
    }
    assert not any("geometry" in row for row in found.values())


def test_a_ring_that_crosses_itself_is_handed_on(tmp_path: Path) -> None:
    a, _ = square(1, 13.0, 52.0)
    bow = rows(write(tmp_path / "a.osm", *a, way(1, [1, 3, 2, 4, 1], YES)))["way/1"]
    assert "problem" not in bow
    assert not bow["geometry"].is_valid


def test_a_broken_outline_does_not_take_its_way_along(tmp_path: Path) -> None:
    a, ring = square(1, 13.0, 52.0)
    members = [("w", 1, "outer"), ("w", 9, "inner")]
    found = rows(
        write(tmp_path / "a.osm", *a, way(1, ring, YES), relation(1, members, {"type": "multipolygon", **YES}))
    )
    assert "problem" not in found["way/1"]
    assert "not in the file" in found["relation/1"]["problem"]


def test_order_does_not_matter(tmp_path: Path) -> None:
    (a, outer), (b, inner) = square(-1000, 13.0, 52.0), square(5, 13.0002, 52.0002, 5e-4)
    elements = [
        *a, *b,
        way(-7, outer[:3]), way(8, outer[2:]), way(9, inner), way(10, inner, {"building:part": "yes"}),
        relation(-3, [("w", -7, "outer"), ("w", 8, "outer"), ("w", 9, "inner")], {"type": "multipolygon", **YES}),
    ]  # fmt: skip
    sorted_ = rows(write(tmp_path / "a.osm.pbf", *elements))
    assert sorted_["relation/-3"]["geometry"].is_valid
    for suffix in SUFFIXES:
        backwards = rows(write(tmp_path / f"b.{suffix}", *elements[::-1]))
        assert set(backwards) == set(sorted_)
        for name, row in backwards.items():
            assert shapely.equals(row["geometry"], sorted_[name]["geometry"])


def test_many_blocks_and_batches(tmp_path: Path) -> None:
    corners, ways = [], []
    for k in range(9000):
        nodes, ring = square(10 * k, 13.0 + 0.002 * (k % 100), 52.0 + 0.002 * (k // 100))
        corners += nodes
        ways.append(way(k + 1, ring, {"building": "yes", "ref": f"r{k}", **({"odd": "1"} if k == 8999 else {})}))
    path = write(tmp_path / "a.osm.pbf", *corners, *ways)
    source = open_source(path)
    assert [len(batch) for batch in source.batches(None, batch_rows=4000)] == [4000, 4000, 1000]
    assert source.info.columns == ("building", "odd", "ref")
    found = rows(path, columns=("odd", "absent"))
    assert [row["odd"] for row in found.values() if "odd" in row] == ["1"]
    assert "ref" not in found["way/1"]
    box = (13.0, 52.0, 13.01, 52.01)
    few = rows(path, bbox=box)
    assert set(few) == {name for name, row in rows(path).items() if row["geometry"].intersects(shapely.box(*box))}
    assert len(few) == 36
    assert rows(path, id_column="ref").keys() == {f"r{k}" for k in range(9000)}


def test_locations_on_ways(tmp_path: Path) -> None:
    a, ring = square(1, 13.0, 52.0)
    plain = write(tmp_path / "a.osm.pbf", *a, way(1, ring, YES))
    path = tmp_path / "b.osm.pbf"
    with osmium.SimpleWriter(osmium.io.File(str(path), "pbf,locations_on_ways=true"), overwrite=True) as writer:
        for each in osmium.FileProcessor(str(plain)).with_locations():
            writer.add(each)
    assert rows(path) == rows(plain)


@pytest.mark.parametrize("options", ["pbf_compression=none", "pbf_compression=lz4", "pbf_dense_nodes=false"])
def test_how_a_pbf_may_be_packed(tmp_path: Path, options: str) -> None:
    a, ring = square(1, 13.0, 52.0)
    elements = [*a, node(9, 13.0, 52.0, {"roof:apex": "yes"}), way(1, ring, YES)]
    path = tmp_path / "b.osm.pbf"
    try:
        writer = osmium.SimpleWriter(osmium.io.File(str(path), f"pbf,{options}"), overwrite=True)
    except (RuntimeError, ValueError) as error:
        pytest.skip(f"osmium was built without it: {error}")
    with writer:
        for each in elements:
            (writer.add_node if "location" in vars(each) and not hasattr(each, "nodes") else writer.add)(each)
    assert rows(path) == rows(write(tmp_path / "a.osm.pbf", *elements))


# versions of an object


def test_the_last_version_counts_and_deleted_ones_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.osm"
    corners = "".join(
        f'<node id="{k}" lon="{13 + x}" lat="{52 + y}"/>' for k, (x, y) in enumerate([(0, 0), (1, 0), (1, 1)])
    )
    ring = '<nd ref="0"/><nd ref="1"/><nd ref="2"/><nd ref="0"/>'

    def way_xml(number: int, tags: str, more: str = "") -> str:
        return f'<way id="{number}" {more}>{ring}{tags}</way>'

    house, barn = '<tag k="building" v="house"/>', '<tag k="building" v="barn"/>'
    path.write_text(
        f'<osm version="0.6">{corners}<node id="1" lon="14.5" lat="52"/>'
        + way_xml(1, house, 'version="1"') + way_xml(1, barn, 'version="2"')
        + way_xml(2, house, 'version="1"') + way_xml(2, "", 'version="2" visible="false"')
        + way_xml(3, house, "action='delete'") + way_xml(4, house) + way_xml(4, '<tag k="highway" v="path"/>')
        + "</osm>",
        encoding="utf-8",
    )  # fmt: skip
    found = rows(path)
    assert {name: row["building"] for name, row in found.items()} == {"way/1": "barn"}
    assert found["way/1"]["geometry"].bounds == (13, 52, 14.5, 53)


def test_a_history_in_pbf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.osh.pbf"
    with osmium.SimpleWriter(osmium.io.File(str(path), "pbf,history=true"), overwrite=True) as writer:
        writer.add_node(node(1, 0, 0))
    with pytest.raises(InputError, match="history file"):
        open_source(path)


# hostile files


def test_a_document_type_is_refused_and_nothing_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("TOPSECRET", encoding="utf-8")
    bomb = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 12))
    for number, subset in enumerate(
        (
            f'[<!ENTITY x SYSTEM "{secret.as_uri()}">]',
            '[<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]',
            f'[<!ENTITY e0 "ha">{bomb}<!ENTITY x "&e11;">]',
            'SYSTEM "http://127.0.0.1:9/osm.dtd"',
        )
    ):
        path = tmp_path / f"{number}.osm"
        path.write_text(
            f'<!DOCTYPE osm {subset}><osm version="0.6"><node id="1" lon="1" lat="1">'
            '<tag k="roof:apex" v="&x;"/></node></osm>',
            encoding="utf-8",
        )
        with pytest.raises(InputError, match="document type 'osm', which may hold entities"):
            open_source(path)


@pytest.mark.parametrize(
    "text", ["node id='x' lon='1' lat='1'", "node id='99999999999999999999' lon='1' lat='1'", "node"]
)
def test_numbers_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.osm"
    path.write_text(f"<osm version='0.6'>\n<{text}/></osm>", encoding="utf-8")
    with pytest.raises(InputError, match="line 2: a node with"):
        open_source(path)


def test_places_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.osm"
    nodes = "".join(
        f"<node id='{k}' {place}/>"
        for k, place in enumerate(
            ["lon='nan' lat='1'", "lon='1e9' lat='1'", "lat='1'", "lon='x' lat='0'", "lon='1' lat='2'"]
        )
    )
    ring = "".join(f"<nd ref='{k}'/>" for k in (0, 1, 2, 3, 4, 0))
    path.write_text(
        f"<osm version='0.6'>{nodes}<way id='1'>{ring}<tag k='building' v='yes'/></way></osm>", encoding="utf-8"
    )
    assert rows(path)["way/1"]["problem"].startswith("5 of the 6 nodes")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A PBF file of 50 buildings in several blobs."""
    elements = []
    for k in range(50):
        nodes, ring = square(10 * k, 13.0 + 0.002 * k, 52.0)
        elements += [*nodes, way(k, ring, {"building": "yes", "name": f"n{k}"})]
    elements += [node(999, 13.0, 52.0, {"roof:apex": "yes"})]
    elements += [relation(1, [("w", 1, "outer")], {"type": "multipolygon", **YES})]
    return write(tmp_path_factory.mktemp("pbf") / "a.osm.pbf", *elements).read_bytes()


def test_a_cut_pbf_is_refused_wherever_it_is_cut(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.osm.pbf"
    at = 0
    ends = []
    while at < len(sound):
        head = struct.unpack_from(">I", sound, at)[0]
        size = sound[at + 4 + head - 2 : at + 4 + head]
        at += 4 + head + ((size[0] & 0x7F) | size[1] << 7 if size[0] >= 0x80 else size[1])
        ends.append(at)
    assert ends[-1] == len(sound)
    for length in sorted(
        {*range(1, len(sound), 37), *ends[:-1], *(end - 1 for end in ends), *(end + 3 for end in ends[:-1])}
    ):
        path.write_bytes(sound[:length])
        if length in ends:
            rows(path)  # a file of fewer blobs is a file
        else:
            with pytest.raises(InputError):
                rows(path)


def test_flipped_bytes_give_rows_or_an_error(sound: bytes, tmp_path: Path) -> None:
    """Also within the unpacked blobs, where no checksum of zlib stands guard."""
    path, raw = tmp_path / "a.osm.pbf", unpacked(sound)
    path.write_bytes(raw)
    whole = rows(path)
    assert len(whole) == 51
    random = np.random.default_rng(4)
    refused = 0
    for data in (sound, raw):
        for _ in range(120):
            damaged = bytearray(data)
            for at in random.integers(0, len(data), 3):
                damaged[at] = random.integers(256)
            path.write_bytes(damaged)
            try:
                for batch in open_source(path).batches(None):
                    batch.validate(full=True)
            except InputError:
                refused += 1
    assert 40 < refused < 240


def unpacked(data: bytes) -> bytes:
    """Rewrite a PBF file with blobs that are not packed."""
    out, at = b"", 0
    while at < len(data):
        head = struct.unpack_from(">I", data, at)[0]
        kind = b"OSMHeader" if b"OSMHeader" in data[at + 4 : at + 4 + head] else b"OSMData"
        start = data.index(b"\x1a", at + 4 + head)  # zlib_data
        size, shift, cursor = 0, 0, start + 1
        while True:
            size |= (data[cursor] & 0x7F) << shift
            shift, cursor = shift + 7, cursor + 1
            if data[cursor - 1] < 0x80:
                break
        out += framed(kind, b"\x0a" + varint(len(content := zlib.decompress(data[cursor : cursor + size]))) + content)
        at = cursor + size
    return out


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def framed(kind: bytes, blob: bytes) -> bytes:
    head = b"\x0a" + varint(len(kind)) + kind + b"\x18" + varint(len(blob))
    return struct.pack(">I", len(head)) + head + blob


def test_a_blob_that_unpacks_to_too_much(sound: bytes, tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(200 << 20), 9)
    path = tmp_path / "a.osm.pbf"
    for told in (200 << 20, 1000):
        blob = b"\x10" + varint(told) + b"\x1a" + varint(len(bomb)) + bomb
        path.write_bytes(framed(b"OSMHeader", b"\x0a\x00") + framed(b"OSMData", blob))
        with pytest.raises(InputError, match="damaged in the blob at byte"):
            open_source(path)


def test_what_a_file_asks_of_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.osm.pbf"
    feature = b"Quantum"
    header = b"\x22" + varint(len(feature)) + feature
    path.write_bytes(framed(b"OSMHeader", b"\x0a" + varint(len(header)) + header))
    with pytest.raises(InputError, match="needs a reader that knows Quantum"):
        open_source(path)


def test_it_is_known_by_content_and_its_dialect_by_columns(testdata: Path, tmp_path: Path) -> None:
    source = testdata / "realdata/02_monaco_osm_srtm/monaco-latest.osm.pbf"
    path = tmp_path / "a.zip"
    shutil.copy(source, path)
    info = open_source(path).info
    assert (info.format, info.crs, info.feature_count) == ("osm", "OGC:CRS84", 1220)
    assert open_source(source).info.name == "monaco-latest"
    assert info.bounds == (7.409205, 43.72335, 7.448637, 43.75169)
    assert recognise_dialect(info.columns) == "osm"


@pytest.mark.parametrize("name", ["04_helsinki_osm_parts/Helsinki.osm.pbf", "14_nasty/redon.osm"])
def test_batches_and_boxes_do_not_change_rows(testdata: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / Path(name).name
    shutil.copy(testdata / "realdata" / name, path)
    tmp_path.chmod(0o555)
    try:
        source = open_source(path)
        whole = pa.concat_tables(source.batches(None)).combine_chunks()
        for size in (1, 7, 299):
            tables = list(source.batches(None, batch_rows=size))
            assert max(map(len, tables)) <= size
            assert pa.concat_tables(tables).combine_chunks().equals(whole)
        west, south, east, north = shapely.total_bounds(shapely.from_wkb(whole["geometry"].to_numpy()))
        box = (west, south, (2 * west + east) / 3, (south + north) / 2)
        expected = whole.filter(pa.array(meets(whole["geometry"].combine_chunks(), box)))
        assert 0 < len(expected) < len(whole)
        assert pa.concat_tables(source.batches(box)).combine_chunks().equals(expected)
        assert next(iter(source.batches((0, 0, 1, 1))))["problem"].null_count == 0
        with pytest.raises(InputError, match="no column 'nope'"):
            open_source(path, SourceOptions(id_column="nope"))
    finally:
        tmp_path.chmod(0o755)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    a, ring = square(1, 13.0, 52.0)
    path = write(tmp_path / "a.osm", *a, way(1, ring, YES))
    first = open_source(path)
    assert open_source(path).contents is first.contents  # type: ignore[attr-defined]
    write(path, *a, way(1, ring, YES), way(2, ring, {"building": "barn"}))
    assert open_source(path).info.feature_count == 2


def test_the_extent_of_several_downloads_is_around_them_all(tmp_path: Path) -> None:
    nodes, ring = square(1, 13.0, 52.0)
    path = write(tmp_path / "a.osm", *nodes, way(1, ring, YES))
    boxes = [(13.0, 52.0, 13.1, 52.1), (14.0, 51.0, 14.1, 51.1)]
    for more, expected in (("", (13.0, 51.0, 14.1, 52.1)), ('<bounds minlat="x"/>', None)):
        stated = "".join(f'<bounds minlon="{w}" minlat="{s}" maxlon="{e}" maxlat="{n}"/>' for w, s, e, n in boxes)
        text = path.read_text()
        start = text.index("<node")
        (tmp_path / "b.osm").write_text(text[:start] + stated + more + text[start:])
        assert open_source(tmp_path / "b.osm").info.bounds == expected


def test_a_header_whose_box_is_turned_round_states_none(tmp_path: Path) -> None:
    path = tmp_path / "a.osm.pbf"
    for sides, expected in (((1, 2, 4, 3), (1.0, 3.0, 2.0, 4.0)), ((2, 1, 4, 3), None), ((1, 2, 3, 4), None)):
        box = b"".join(bytes([8 * (k + 1)]) + varint(2 * side * 10**9) for k, side in enumerate(sides))
        header = b"\x0a" + varint(len(box)) + box
        path.write_bytes(framed(b"OSMHeader", b"\x0a" + varint(len(header)) + header))
        assert open_source(path).info.bounds == expected


def test_a_table_of_strings_that_starts_with_a_key(tmp_path: Path) -> None:
    """String 0 stands for the end of a node's tags and is no key, whatever it says."""
    strings = b"\x0a\x0b\x0a\x09roof:apex"
    dense = b"\x0a\x01\x02\x42\x01\x00\x4a\x01\x00\x52\x01\x00"
    group = b"\x12" + varint(len(dense)) + dense
    block = strings + b"\x12" + varint(len(group)) + group
    path = tmp_path / "a.osm.pbf"
    header = framed(b"OSMHeader", b"\x0a\x00")
    path.write_bytes(header + framed(b"OSMData", b"\x0a" + varint(len(block)) + block))
    assert rows(path) == {}


def test_many_rings_that_cross_take_no_square_of_time() -> None:
    members = []
    for x in range(0, 400 * 30, 30):
        for role, corner, size in (("outer", (x, 0), 20), ("inner", (x + 5, 15), 10)):
            corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], dtype=np.int32)
            members.append(Member(role, corners * size + np.array(corner, dtype=np.int32)))
    began = time.process_time()
    area, problem = assemble(members)
    assert time.process_time() - began < 2.5
    assert problem == ""
    assert shapely.get_num_interior_rings(shapely.get_parts(area)).tolist() == [1] * 400
