"""Builds in this process and what came of them, in forms that tests compare: bytes by file, rows, triangles by id."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from citygen.config import make_config
from citygen.engine.run import Outcome, run
from citygen.formats.glb import decode

SAMPLE = Path(__file__).parent.parent / "data" / "sample"


def build(out: Path, *, progress: Any = None, **options: Any) -> Outcome:
    """Build with options as in citygen.toml."""
    extra = {} if progress is None else {"progress": progress}
    given = {key: str(value) if isinstance(value, Path) else value for key, value in options.items()}
    return run(make_config({"out": str(out), **given}), **extra)


def sample(out: Path, **options: Any) -> Outcome:
    """Build the bundled sample."""
    return build(out, **{**sample_options(), **options})


def sample_options() -> dict[str, Any]:
    return {
        "aoi": SAMPLE / "aoi.geojson",
        "buildings": [str(SAMPLE / "buildings.geojson")],
        "dem": [str(SAMPLE / "dem.tif")],
    }


def content(out: Path) -> dict[str, bytes]:
    """Every file of a result but the state, and the report without its seconds."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_file() and not name.startswith(".citygen/"):
            found[name] = path.read_bytes()
    report = json.loads(found["report.json"])
    report.pop("seconds")
    return {**found, "report.json": json.dumps(report).encode()}


def assert_same(one: Path, other: Path) -> None:
    """Two results hold the same files with the same bytes."""
    a, b = content(one), content(other)
    assert sorted(a) == sorted(b)
    assert [name for name in a if a[name] != b[name]] == []


def rows(out: Path) -> dict[str, dict[str, Any]]:
    """Catalogue rows by id; ids must be unique."""
    listed = pq.read_table(out / "buildings.parquet").to_pylist()
    found = {row["id"]: row for row in listed}
    assert len(found) == len(listed), "an id has two rows"
    return found


def same_rows(
    one: Mapping[str, Any], other: Mapping[str, Any], ids: Iterable[str], *, aside: tuple[str, ...] = ()
) -> None:
    """Chosen rows have the same values (NaN equals NaN)."""
    for each in ids:
        a, b = ({k: repr(v) for k, v in table[each].items() if k not in aside} for table in (one, other))
        assert a == b


def triangles(out: Path) -> dict[str, tuple[str, bytes]]:
    """Tile, and the bytes of positions, normals and colours of each building's triangles, by id."""
    found: dict[str, tuple[str, bytes]] = {}
    for path in sorted((out / "tiles").rglob("*.glb")):
        scene = decode(path.read_bytes())
        owner = scene.features[scene.triangles[:, 0]]
        assert np.array_equal(owner[:, None].repeat(3, 1), scene.features[scene.triangles])
        order = np.argsort(owner, kind="stable")
        ends = np.searchsorted(owner[order], np.arange(len(scene.table["id"]) + 1))
        for k, name in enumerate(scene.table["id"].tolist()):
            corners = scene.triangles[order[ends[k] : ends[k + 1]]]
            data = (scene.positions[corners].astype("f4"), scene.normals[corners].astype("f4"), scene.colours[corners])
            assert name not in found, f"{name} is in two tiles"
            found[name] = (path.stem, b"".join(part.tobytes() for part in data))
    return found


def accounted(out: Path, *, lifted: bool = False) -> dict[str, dict[str, Any]]:
    """Check that rows, report and tiles tell the same story; return the rows. ``lifted``: some stand above the ground."""
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    found = rows(out)
    assert report["footprints"] == len(found)
    assert report["rows_read"] == len(found) + report["rows_outside_aoi"]
    assert sum(report["outcomes"].values()) == len(found)
    drawn = triangles(out)
    for name, row in found.items():
        assert row["outcome"] in {"ok", "degraded", "rejected"}
        assert len(row["reasons"]) == len(row["details"])
        assert row["reasons"] or row["outcome"] == "ok", f"{name}: {row['outcome']} without a reason"
        present = row["tile"] is not None
        assert present == (name in drawn)
        assert not (present and row["outcome"] == "rejected")
        if present:
            assert drawn[name][0] == row["tile"]
            assert lifted or row["base_z"] <= row["ground_z"] + 1e-9 or row["part_of"] is not None
            assert row["base_z"] < row["ridge_z"]
            assert row["eave_z"] <= row["ridge_z"]
            assert row["volume_m3"] > 0
        else:
            elsewhere = {"replaced_by_parts", "covered_by_other_source", "duplicate_footprint"}
            assert row["outcome"] == "rejected" or elsewhere & set(row["reasons"])
    assert set(drawn) <= set(found)
    for code, entry in report["reasons"].items():
        assert entry["count"] == sum(code in row["reasons"] for row in found.values())
    return found


def plots(n: int, **columns: Any) -> gpd.GeoDataFrame:
    """Return n houses of 12 x 8 m, on plots of 40 m in rows of 20, EPSG:32631."""
    k = np.arange(n)
    x, y = 500_000.0 + 40 * (k % 20), 5_150_000.0 + 40 * (k // 20)
    data = {"id": [f"house-{i}" for i in k], "height": 6.0 + k % 5, "roof:shape": ["gabled"] * n, **columns}
    return gpd.GeoDataFrame(data, geometry=shapely.box(x, y, x + 12, y + 8), crs="EPSG:32631")


def write_parquet(path: Path, columns: Mapping[str, pa.Array], wkb: list[bytes | None], crs: str) -> Path:
    """Write GeoParquet with raw WKB, also such that no library would write."""
    import pyproj

    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": [], "crs": pyproj.CRS(crs).to_json_dict()}},
    }
    table = pa.table({**columns, "geometry": pa.array(wkb, pa.binary())})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    return path
