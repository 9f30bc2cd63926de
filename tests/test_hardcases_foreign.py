"""Every file of the folder of hard cases: a building or a reason, or one line for a broken file; neighbours as without it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely

from builds import accounted, build, rows, same_rows, triangles, write_parquet
from citygen.outcome import known_reasons
from citygen.sources.geojson_geometry import geometry_wkb
from commandline import invoke, refusal

PLOT_M, SIZE_M, COLUMNS = 100.0, 30.0, 20
X0, Y0 = 500_000.0, 5_150_000.0
CRS = "EPSG:32631"
AOI = "2.9,46.3,3.2,46.6"
FAMILIES = {"invalid": 247, "overlay-valid": 266, "skeleton": 229}


def _numbers(thing: Any) -> Iterator[tuple[float, float]]:
    """Walk the positions of nested coordinates, whatever else is in them."""
    if isinstance(thing, list):
        if len(thing) >= 2 and all(isinstance(v, int | float) for v in thing[:2]):
            yield float(thing[0]), float(thing[1])
        else:
            for part in thing:
                yield from _numbers(part)


def _moved(thing: Any, low: tuple[float, float], factor: float, to: tuple[float, float]) -> Any:
    if isinstance(thing, list):
        if len(thing) >= 2 and all(isinstance(v, int | float) for v in thing[:2]):
            return [float(v) for v in ((thing[0] - low[0]) * factor + to[0], (thing[1] - low[1]) * factor + to[1])]
        return [_moved(part, low, factor, to) for part in thing]
    return thing


def placed(geometry: dict, k: int) -> tuple[bytes | None, str | None]:
    """Scale a geometry to ``SIZE_M`` on plot k, as it is, also rings that no library would hold; WKB, or why not."""
    parts = geometry["geometries"] if geometry["type"] == "GeometryCollection" else [geometry]
    xy = np.array([p for part in parts for p in _numbers(part.get("coordinates"))]).reshape(-1, 2)
    if len(xy) == 0:
        return geometry_wkb(geometry)
    low, size = xy.min(axis=0), max(np.ptp(xy, axis=0).max(), 1e-300)
    to = (X0 + PLOT_M * (k % COLUMNS), Y0 + PLOT_M * (k // COLUMNS))
    done = [{**p, "coordinates": _moved(p.get("coordinates"), tuple(low), SIZE_M / size, to)} for p in parts]
    return geometry_wkb({**geometry, "geometries": done} if len(done) > 1 or "geometries" in geometry else done[0])


def controls(k: int) -> list[bytes]:
    """Two sound houses beside plot k's case: one to the east of it, one to the north."""
    x, y = X0 + PLOT_M * (k % COLUMNS), Y0 + PLOT_M * (k // COLUMNS)
    return [
        shapely.box(x + 45, y, x + 57, y + 8).wkb,
        shapely.Polygon(
            [(x, y + 45), (x + 16, y + 45), (x + 16, y + 52), (x + 7, y + 52), (x + 7, y + 60), (x, y + 60)]
        ).wkb,
    ]


def _town(path: Path, cases: list[tuple[str, bytes | None]], *, with_cases: bool) -> Path:
    ids, wkb = [], []
    for k, (name, blob) in enumerate(cases):
        if with_cases:
            ids.append(name)
            wkb.append(blob)
        ids += [f"control-{k}-east", f"control-{k}-north"]
        wkb += controls(k)
    n = len(ids)
    columns = {"id": pa.array(ids), "height": pa.array([9.0] * n), "roof:shape": pa.array(["gabled"] * n)}
    return write_parquet(path, columns, wkb, CRS)


def features_of(folder: Path) -> list[tuple[str, dict]]:
    found = []
    for path in sorted(folder.glob("*.geojson")):
        for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
            found.append((feature["properties"]["id"], feature["geometry"]))
    return found


def seeds(folder: Path) -> list[tuple[str, dict]]:
    """GEOS's fuzz seeds: GeoJSON texts, and WKT behind a byte that chooses the reader."""
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        if path.suffix == ".json":
            thing = json.loads(data)
            geometry = thing["geometry"] if thing["type"] == "Feature" else thing
        else:
            geometry = json.loads(shapely.to_geojson(shapely.from_wkt(data[1:].decode())))
        found.append((f"seed/{path.name}", geometry))
    return found


def _judged(tmp_path: Path, cases: list[tuple[str, bytes | None]]) -> dict[str, dict]:
    """Build the cases among controls, and the controls alone; the controls' rows and triangles are the same."""
    for name in ("all", "controls"):
        source = _town(tmp_path / f"{name}.parquet", cases, with_cases=name == "all")
        code, err = invoke(
            "build", "--buildings", str(source), "--ground-z", "0", "--aoi", AOI, "--crs", CRS, "--grid", "metric:500",
            "-o", str(tmp_path / name), "--allow-rejected", seconds=240,
        )  # fmt: skip
        assert code == 0, err
    found, alone = accounted(tmp_path / "all"), rows(tmp_path / "controls")
    assert len(found) == 3 * len(cases)
    drawn, wanted = triangles(tmp_path / "all"), triangles(tmp_path / "controls")
    assert len(wanted) == 2 * len(cases)
    assert {name: drawn[name] for name in wanted} == wanted
    same_rows(found, alone, alone, aside=("source",))
    declared = {reason.code for reason in known_reasons()}
    for name, _ in cases:
        row = found[name]
        assert set(row["reasons"]) <= declared
        assert (name in drawn) != (row["outcome"] == "rejected")
        if row["outcome"] == "ok":
            assert row["area_change"] == pytest.approx(0, abs=1e-3)
    return found


@pytest.mark.parametrize("family", ["invalid", "overlay-valid", pytest.param("skeleton", marks=pytest.mark.slow)])
def test_a_family_among_its_neighbours(family: str, testdata: Path, tmp_path: Path, record_property: Any) -> None:
    listed = features_of(testdata / "hardcases" / family)
    assert len(listed) == FAMILIES[family]
    cases = [(name, placed(geometry, k)[0]) for k, (name, geometry) in enumerate(listed)]
    found = _judged(tmp_path, cases)
    outcomes = {o: sum(found[name]["outcome"] == o for name, _ in cases) for o in ("ok", "degraded", "rejected")}
    record_property(family, outcomes)
    most = {"invalid": 0.15, "overlay-valid": 0.1, "skeleton": 0.01}[family]
    rejected = [
        (name, found[name]["reasons"], found[name]["details"])
        for name, _ in cases
        if found[name]["outcome"] == "rejected"
    ]
    assert len(rejected) <= most * len(cases), rejected


def test_seeds_of_a_fuzzer_among_their_neighbours(testdata: Path, tmp_path: Path) -> None:
    listed = seeds(testdata / "hardcases/files-foreign/geos-fuzz-seeds")
    assert len(listed) == 11
    cases = [(name, placed(geometry, k)[0]) for k, (name, geometry) in enumerate(listed)]
    found = _judged(tmp_path, cases)
    built = {name for name, _ in cases if found[name]["outcome"] != "rejected"}
    assert built == {"seed/bowtie", "seed/multipolygon", "seed/polygon_hole.json"}
    assert all(found[name]["reasons"][0] == "geometry_not_areal" for name, _ in cases if name not in built)


def test_seeds_broken_on_purpose_among_their_neighbours(testdata: Path, tmp_path: Path) -> None:
    """WKB of the seeds with flipped bytes, cut short and blown up: what cannot be read is a row that says so."""
    dice = np.random.default_rng(7)
    sound = [placed(geometry, 0)[0] for _, geometry in seeds(testdata / "hardcases/files-foreign/geos-fuzz-seeds")]
    cases: list[tuple[str, bytes | None]] = []
    for k in range(300):
        blob = bytearray(sound[k % len(sound)])
        for _ in range(int(dice.integers(1, 4))):
            blob[int(dice.integers(0, len(blob)))] ^= 1 << int(dice.integers(0, 8))
        if k % 3 == 0:
            blob = blob[: int(dice.integers(0, len(blob)))]
        cases.append((f"broken-{k}", bytes(blob)))
    for name in ("all", "controls"):
        source = _town(tmp_path / f"{name}.parquet", cases, with_cases=name == "all")
        build(tmp_path / name, buildings=[str(source)], ground_z=0, crs=CRS)
    found = accounted(tmp_path / "all")
    assert len(found) == 3 * len(cases)
    drawn, wanted = triangles(tmp_path / "all"), triangles(tmp_path / "controls")
    assert {name: drawn[name] for name in wanted} == wanted
    assert all(found[name]["reasons"] or found[name]["outcome"] == "ok" for name, _ in cases)


def test_clipper_s_areas_lie_between_its_rule_and_what_rings_enclose(testdata: Path, tmp_path: Path) -> None:
    """Self-crossing soups: our area is not less than the even-odd one, and "before" is the even-odd area that Clipper2 gives."""
    checked = 0
    for path in sorted((testdata / "hardcases/invalid").glob("AngusJohnson*.geojson")):
        for feature in json.loads(path.read_text())["features"]:
            wanted, rule = feature["properties"].get("expected_area"), feature["properties"].get("fill_rule")
            if (
                not wanted
                or rule != "EVENODD"
                or feature["geometry"]["type"] != "Polygon"
                or len(feature["geometry"]["coordinates"]) > 1
            ):
                continue
            before = _before(shapely.from_geojson(json.dumps(feature["geometry"])))
            if before is not None:
                assert before == pytest.approx(wanted, rel=0.02), feature["properties"]["id"]
                checked += 1
    assert checked >= 5


def _before(shape: shapely.Geometry) -> float | None:
    """Return the even-odd area that a repair reports."""
    from citygen.buildings.repair import repair
    from citygen.outcome import verdicts

    _, findings = repair(np.array([shape], dtype=object))
    _, reasons, details = verdicts(1, findings)
    texts = [d for code, d in zip(reasons[0], details[0], strict=True) if code == "footprint_repaired"]
    return float(texts[0].split("; ")[-1].split()[0]) if texts else None


def test_curves_are_rows_that_say_so(tmp_path: Path) -> None:
    """One curve among houses, which fails the parser for a whole column, costs one row."""
    curve = bytes([1, 10, 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 3, 0, 0, 0]) + np.array([0.0, 0, 1, 1, 2, 0]).tobytes()
    found = _judged(
        tmp_path, [("curve", curve), ("empty curve", bytes([1, 10, 0, 0, 0, 0, 0, 0, 0])), ("junk", b"\x01junk")]
    )
    assert found["curve"]["reasons"] == found["empty curve"]["reasons"] == ["geometry_unreadable"]
    assert "CurvePolygon" in found["curve"]["details"][0]
    assert found["junk"]["details"] == ["not readable as WKB"]


# files, one by one


def files_of(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "index.csv")


@pytest.mark.parametrize("group", ["geojson-bad", "geos-fuzz-seeds", "osm-buildings", "osm2world", "planetiler"])
def test_every_foreign_file_is_built_or_refused_in_one_line(group: str, testdata: Path, tmp_path: Path) -> None:
    paths = files_of(testdata / "hardcases/files-foreign" / group)
    assert len(paths) == {
        "geojson-bad": 27,
        "geos-fuzz-seeds": 11,
        "osm-buildings": 96,
        "osm2world": 9,
        "planetiler": 2,
    }.get(group, len(paths))
    built = 0
    for path in paths:
        before = path.read_bytes()
        out = tmp_path / path.name
        code, err = invoke("build", "--buildings", str(path), "--ground-z", "0", "-o", str(out), seconds=60)
        assert path.read_bytes() == before
        assert "Traceback" not in err
        if code == 2:
            line = refusal(code, err)
            assert path.name in line, line
            assert not out.exists()
            continue
        assert code in {0, 3}, (path.name, code, err)
        found = accounted(out, lifted=True)
        assert (code == 3) == any(row["outcome"] == "rejected" for row in found.values())
        built += 1
    assert built or group.startswith("osm"), "nothing of a group that is read was built"


@pytest.mark.parametrize("group", ["geojson-bad", "planetiler"])
def test_a_foreign_file_beside_a_good_one(group: str, testdata: Path, tmp_path: Path) -> None:
    """As a second source: the first one's buildings are as by themselves, or the run is refused as a whole."""
    good = _town(tmp_path / "good.parquet", [("none", None)] * 3, with_cases=False)
    build(tmp_path / "alone", buildings=[str(good)], ground_z=0, crs=CRS)
    wanted, alone = triangles(tmp_path / "alone"), rows(tmp_path / "alone")
    for path in files_of(testdata / "hardcases/files-foreign" / group):
        out = tmp_path / path.name
        code, err = invoke(
            "build", "--buildings", str(good), "--buildings", str(path), "--ground-z", "0", "--crs", CRS, "-o", str(out)
        )
        if code == 2:
            assert path.name in refusal(code, err)
            assert not out.exists()
            continue
        assert code in {0, 3}, err
        drawn = triangles(out)
        assert {name: drawn[name] for name in wanted} == wanted, path.name
        same_rows(rows(out), alone, alone)


def test_an_area_of_interest_may_be_foreign_too(testdata: Path, tmp_path: Path) -> None:
    """Every bad GeoJSON as --aoi: a build, or one line."""
    good = _town(tmp_path / "good.parquet", [("none", None)] * 3, with_cases=False)
    folder = testdata / "hardcases/files-foreign"
    for path in (
        files_of(folder / "geojson-bad") + files_of(folder / "geos-fuzz-seeds") + files_of(folder / "planetiler")
    ):
        out = tmp_path / f"aoi-{path.name}"
        code, err = invoke("build", "--buildings", str(good), "--aoi", str(path), "--ground-z", "0", "-o", str(out))
        assert "Traceback" not in err
        if code == 2:
            refusal(code, err)
            assert not out.exists()
