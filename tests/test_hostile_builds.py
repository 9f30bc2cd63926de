"""Hostile inputs through whole builds: no connection, no file outside OUT, no code run, inputs as they were, one clear line."""

import gzip
import io
import json
import pickle
import sys
import tarfile
import zipfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess

import geopandas as gpd
import numpy as np
import pytest
import shapely

from builds import accounted, plots, rows
from commandline import invoke, refusal, spawn

CANARY = "CANARY"


@dataclass
class Trap:
    """A scratch with a home, a folder for temporary files and one for inputs, and a listener that counts who comes."""

    root: Path
    host: str
    seen: list[int]
    cases: dict[str, list[str]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{self.host}/{CANARY}"

    def folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(exist_ok=True)
        return path

    def write(self, name: str, data: bytes | str) -> str:
        path = self.folder("in") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    def state(self, *, aside: Path | None = None) -> dict[str, str]:
        found = {}
        for path in sorted(self.root.rglob("*")):
            if aside is not None and (path == aside or aside in path.parents):
                continue
            kind = "link" if path.is_symlink() else "folder" if path.is_dir() else sha256(path.read_bytes()).hexdigest()
            found[path.relative_to(self.root).as_posix()] = kind
        return found

    def run(self, *argv: str, out: str = "out", cwd: str = "work", seconds: float = 60) -> CompletedProcess[str]:
        """Run the command line with ``-o OUT``; nothing but OUT changes, and nobody comes."""
        for name in ("home", "tmp", "work", "in"):
            self.folder(name)
        target = self.root / out
        before = self.state(aside=target)
        proxy = f"http://{self.host}"
        done = spawn(
            *argv, "-o", str(target), folder=self.folder(cwd), seconds=seconds,
            environment={
                "HOME": str(self.folder("home")), "TMPDIR": str(self.folder("tmp")), "XDG_CACHE_HOME": str(self.folder("home")),
                **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GDAL_HTTP_PROXY"), proxy),
                "PYTHONPATH": str(Path(__file__).parent.parent), "CPL_TMPDIR": str(self.folder("tmp")),
            },
        )  # fmt: skip
        assert self.state(aside=target) == before, "a file outside OUT came, went or changed"
        assert not self.seen, "a connection was made"
        assert not [p for p in self.root.rglob("*") if CANARY in p.name]
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def invoke(self, *argv: str) -> tuple[int, str]:
        """Call the command line in this process, where as many calls as wanted are cheap; the same holds."""
        for name in ("home", "tmp", "work", "in"):
            self.folder(name)
        before = self.state(aside=self.root / "out")
        code, err = invoke(*argv, "-o", str(self.root / "out"))
        assert self.state(aside=self.root / "out") == before, "a file outside OUT came, went or changed"
        assert not self.seen, "a connection was made"
        return code, err

    def refused(self, *argv: str) -> str:
        line = refusal(*self.invoke(*argv))
        assert not (self.root / "out").exists()
        return line


@pytest.fixture
def trap(tmp_path: Path, listener: tuple[str, list[int]]) -> Trap:
    (tmp_path / "scratch").mkdir()
    return Trap(tmp_path / "scratch", *listener)


def houses(trap: Trap, n: int = 3) -> str:
    path = trap.folder("in") / "houses.gpkg"
    if not path.exists():
        plots(n).to_file(path)
    return str(path)


def test_the_trap_would_spring(trap: Trap) -> None:
    """GDAL itself, in such a process, connects: a count of zero means something."""
    import subprocess

    code = f"import pyogrio; pyogrio.read_info('/vsicurl/{trap.url}.geojson')"
    subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert trap.seen


def _vector_texts(trap: Trap) -> dict[str, bytes | str]:
    url = trap.url
    bomb = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 12))
    secret = trap.write("secret.txt", "a secret")
    instance = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation'
    xml = '<?xml version="1.0"?>'
    doctype = f'<!DOCTYPE x [<!ENTITY out SYSTEM "{url}"><!ENTITY file SYSTEM "file://{secret}"><!ENTITY % p SYSTEM "{url}"> %p;]>'
    bombed = f'<!DOCTYPE x [<!ENTITY e0 "lol">{bomb}]>'
    gml = '<core:CityModel xmlns:core="http://www.opengis.net/citygml/2.0" xmlns:bldg="http://www.opengis.net/citygml/building/2.0">{}</core:CityModel>'
    osm = (
        '<osm version="0.6"><node id="1" lat="48" lon="2"><tag k="name" v="{}"/></node>'
        '<way id="1"><nd ref="1"/><tag k="building" v="yes"/></way></osm>'
    )
    vrt = f'<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>/vsicurl/{url}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
    local = f'<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>{secret}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
    return {
        "vrt.geojson": vrt,
        "vrt.gpkg": "\ufeff  " + vrt,
        "local.vrt": local,
        "network.kml": f"{xml}<kml><NetworkLink><Link><href>{url}</href></Link></NetworkLink></kml>",
        "network.kmz": _zip({"doc.kml": f"<kml><NetworkLink><href>{url}</href></NetworkLink></kml>"}),
        "entities.gml": f"{xml}{doctype}{gml.format('&out;&file;')}",
        "bomb.gml": f"{xml}{bombed}{gml.format('&e11;')}",
        "schema.gml": f'{xml}<gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml" {instance}="{url} {url}"/>',
        "xlink.gml": xml + gml.format(f'<core:cityObjectMember xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="{url}"/>'),
        "include.xml": f'{xml}<x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{url}"/></x>',
        "entities.osm": f"{xml}{doctype}{osm.format('&out;&file;')}",
        "bomb.osm": f"{xml}{bombed}{osm.format('&e11;')}",
        "link.geojson": _placed({"type": "link", "properties": {"href": url}}),
        "name.geojson": _placed({"type": "name", "properties": {"name": url}}),
        "grids.geojson": _placed({"type": "name", "properties": {"name": f"+proj=longlat +nadgrids=/vsicurl/{url}"}}),
        "ref.city.json": json.dumps(
            {"type": "CityJSON", "version": "1.1", "extensions": {"x": {"url": url}}, "CityObjects": {}, "vertices": []}
        ),
        "ref.arcgis.json": json.dumps({"geometryType": "esriGeometryPolygon", "spatialReference": {"wkt": url}, "features": []}),
        "pickle.parquet": pickle.dumps(_Opener(trap.root / "in" / CANARY)),
        "model.geojson": pickle.dumps(_Opener(trap.root / "in" / CANARY)),
        "yaml.json": f"!!python/object/apply:os.system ['touch {trap.root}/in/{CANARY}']\n",
        "slip.zip": _zip({f"../../{CANARY}.geojson": "{}", f"/tmp/{CANARY}": "x"}),
        "slip.tar": _tar({f"../../{CANARY}.geojson": b"{}"}),
        "bomb.geojson": gzip.compress(bytes(50_000_000)),
        "bomb.osm.gz": gzip.compress(b"<osm>" + b" " * 50_000_000),
        "bomb.zip": _zip({"a.geojson": " " * 50_000_000}),
        "playlist.m3u": url,
        "postgis.pgdump": f"PG:host=127.0.0.1 port={trap.host.split(':')[1]}",
    }  # fmt: skip


def _placed(crs: dict) -> str:
    """Return a GeoJSON with a crs member."""
    return json.dumps({"type": "FeatureCollection", "crs": crs, "features": [_feature("a")]})


class _Opener:
    """What a pickle runs when it is loaded: makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (open, (str(self.path), "w"))


def _zip(members: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


def _tar(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _feature(ident: str, **properties: object) -> dict:
    ring = [[2.35, 48.85], [2.3502, 48.85], [2.3502, 48.8501], [2.35, 48.8501], [2.35, 48.85]]
    return {
        "type": "Feature",
        "properties": {"id": ident, **properties},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def test_the_pickle_would_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(_Opener(tmp_path / CANARY)))
    assert (tmp_path / CANARY).exists()


_CHEAP = (
    "vrt.geojson",
    "entities.gml",
    "bomb.gml",
    "bomb.osm",
    "link.geojson",
    "pickle.parquet",
    "slip.zip",
    "bomb.geojson",
)


def _names() -> list[object]:
    fake = Trap(Path("/nonexistent"), "127.0.0.1:1", [])
    fake.write = lambda name, _: f"/nonexistent/{name}"  # type: ignore[method-assign]
    return [name if name in _CHEAP else pytest.param(name, marks=pytest.mark.slow) for name in _vector_texts(fake)]


@pytest.mark.parametrize("name", _names())
def test_a_file_that_wants_more_than_to_be_read(trap: Trap, name: str) -> None:
    """As footprints beside good ones and as the area: one line that names it, or rows; nobody is called."""
    path = trap.write(name, _vector_texts(trap)[name])
    for argv in (
        ["--buildings", houses(trap), "--buildings", path, "--ground-z", "0"],
        ["--buildings", houses(trap), "--aoi", path, "--ground-z", "0"],
    ):
        done = trap.run("build", *argv)
        if done.returncode == 2:
            assert Path(path).name in refusal(done.returncode, done.stderr)
            assert not (trap.root / "out").exists()
            continue
        assert done.returncode in {0, 3}, done.stderr
        text = json.dumps(list(rows(trap.root / "out").values()), default=str)
        assert "a secret" not in text
        assert "lollol" not in text
        _emptied(trap.root / "out")


def _emptied(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)


@pytest.mark.slow
def test_rasters_that_want_more_than_to_be_read(trap: Trap) -> None:
    url = trap.url
    band = (
        '<VRTRasterBand dataType="Float32" band="1"><SimpleSource>'
        "<SourceFilename>{}</SourceFilename></SimpleSource></VRTRasterBand>"
    )
    code = (
        '<VRTRasterBand dataType="Float32" band="1" subClass="VRTDerivedRasterBand">'
        "<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionType>f</PixelFunctionType>"
        f"<PixelFunctionCode>open('{trap.root}/in/{CANARY}', 'w')</PixelFunctionCode></VRTRasterBand>"
    )
    texts = {
        "net.tif": f'<VRTDataset rasterXSize="9" rasterYSize="9">{band.format("/vsicurl/" + url)}</VRTDataset>',
        "code.tif": f'<VRTDataset rasterXSize="9" rasterYSize="9">{code}</VRTDataset>',
        "file.vrt": f'<VRTDataset rasterXSize="9" rasterYSize="9">{band.format("/etc/passwd")}</VRTDataset>',
        "wms.tif": f'<GDAL_WMS><Service name="WMS"><ServerUrl>{url}</ServerUrl></Service></GDAL_WMS>',
        "wcs.tif": f"<WCS_GDAL><ServiceURL>{url}</ServiceURL></WCS_GDAL>",
        "tileindex.tif": f"<GDALTileIndexDataset><IndexDataset>/vsicurl/{url}</IndexDataset></GDALTileIndexDataset>",
        "stac.tif": json.dumps({"type": "Feature", "stac_version": "1.0.0", "assets": {"a": {"href": url}}}),
        "pickle.tif": pickle.dumps(_Opener(trap.root / "in" / CANARY)),
        "bomb.tif": gzip.compress(bytes(20_000_000)),
    }  # fmt: skip
    for name, text in texts.items():
        path = trap.write(name, text)
        line = trap.refused("build", "--buildings", houses(trap), "--dem", path)
        assert name in line


SPECS = [
    "/vsicurl/{url}.gpkg", "/vsizip//vsicurl/{url}.zip", "WFS:{url}", "OAPIF:{url}", "GeoJSON:{url}", "<OGRVRTDataSource/>",
    "ESRIJSON:{url}", "CSW:{url}", "/vsistdin/", "/vsis3/bucket/a", "MVT:{url}",
]  # fmt: skip


@pytest.mark.slow
def test_names_that_mean_something_to_a_library(trap: Trap) -> None:
    """A spec is a file of this machine, or what a remote source is registered for; GDAL's own words are neither."""
    for spec in SPECS:
        text = spec.format(url=trap.url, host=trap.host)
        trap.refused("build", "--buildings", text, "--ground-z", "0")
        trap.refused("build", "--buildings", houses(trap), "--aoi", text, "--ground-z", "0")
        trap.refused("build", "--buildings", houses(trap), "--dem", text)


@pytest.mark.slow
def test_coordinate_systems_that_want_to_be_fetched(trap: Trap) -> None:
    for text in (
        trap.url,
        f"+proj=longlat +nadgrids=/vsicurl/{trap.url}",
        f"+proj=utm +zone=31 +geoidgrids={trap.url}.tif",
        f"+init={trap.root}/in/{CANARY}",
        f"http://www.opengis.net.{trap.host}/def/crs/EPSG/0/4326",
    ):
        for option in ("--source-crs", "--crs", "--dem-crs"):
            code, err = trap.invoke("build", "--buildings", houses(trap), "--ground-z", "0", option, text)
            if code == 2:
                refusal(code, err)
                continue
            assert code == 0, err  # what PROJ takes as it stands, without the grid that it names
            _emptied(trap.root / "out")


@pytest.mark.slow
def test_config_files_are_values_and_nothing_else(trap: Trap) -> None:
    good = houses(trap)
    yaml = f"!!python/object/apply:os.system ['touch {trap.root}/in/{CANARY}']\n"
    for name, data in {
        "evil.yaml": yaml,
        "evil.toml": pickle.dumps(_Opener(trap.root / "in" / CANARY)),
        "more.toml": f'[build]\nbuildings = ["{good}"]\nground_z = 0\n[tool]\ncommand = "touch {CANARY}"\n',
        "unknown.toml": f'[build]\nbuildings = ["{good}"]\nground_z = 0\nhook = "touch {CANARY}"\n',
        "huge.toml": '[build]\nworkers = 99999999999\nground_z = 0\nbuildings = ["x"]\n',
        "deep.toml": "[build]\nmap = " + "[" * 50_000,
        "link.toml": f'[build]\nbuildings = ["{trap.url}"]\nground_z = "$(touch {CANARY})"\n',
        "map.toml": f'[build]\nbuildings = ["{good}"]\nground_z = 0\nmap = {{ height = "__import__(\'os\')" }}\n',
        "grid.toml": f'[build]\nbuildings = ["{good}"]\nground_z = 0\ngrid = "../../../etc/passwd:3"\n',
        "format.toml": f'[build]\nbuildings = ["{good}"]\nground_z = 0\nformat = ["../../x"]\n',
    }.items():  # fmt: skip
        trap.refused("build", "--config", trap.write(name, data))


def test_ids_are_data(trap: Trap) -> None:
    """Ids and values with ways up, NUL, markup, formulas and escapes: rows as they are; files named by the grid alone."""
    ids = [
        f"../../{CANARY}", f"/tmp/{CANARY}", f"..\\..\\{CANARY}", f"a\u0000{CANARY}", "<script>document.title='x'</script>",
        "<img src=x onerror=alert(1)>", "=cmd|' /C calc'!A0", "'; DROP TABLE a; --", "\u202etxt.exe", "con", ".", "..", "a/b",
        "%2e%2e%2f",
        "$(touch x)", "`touch x`", "\x1b[2J", "a\nb", "\U0001f600", "x" * 5000, "{{7*7}}", "${jndi:ldap://x}",
    ]  # fmt: skip
    features = []
    for k, name in enumerate(ids):
        feature = _feature(name, name=name, height=name, **{f"key {name}": name, "roof:shape": name, "building": name})
        feature["geometry"]["coordinates"] = [[[x + 0.0004 * k, y] for x, y in feature["geometry"]["coordinates"][0]]]
        features.append(feature)
    path = trap.write("ids.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
    done = trap.run("build", "--buildings", path, "--ground-z", "0", "--preview")
    assert done.returncode == 0, done.stderr
    assert "\x1b[2J" not in done.stdout + done.stderr
    found = accounted(trap.root / "out")
    assert len(found) == len(ids)
    assert set(ids) - set(found) <= {f"a\u0000{CANARY}"}, "an id is data, and stays as it is"
    names = {p.relative_to(trap.root / "out").as_posix() for p in (trap.root / "out").rglob("*.glb")}
    assert all(part.strip("-").replace("_", "").replace("-", "").isdigit() for p in names for part in [Path(p).stem])


def test_nothing_is_written_through_links_in_the_output_folder(trap: Trap) -> None:
    """A folder that somebody else packed: links in it lead out, and are not followed."""
    argv = ("build", "--buildings", houses(trap), "--ground-z", "0")
    assert trap.invoke(*argv)[0] == 0
    out, victim = trap.root / "out", trap.folder("victim")
    (victim / "file").write_text("precious")
    level = next((out / "tiles").iterdir())
    for name, target in {
        ".citygen": victim, "tiles": victim, f"tiles/{level.name}": victim, "report.json": victim / "file",
        ".report.json.part": victim / "file", ".buildings.parquet.part": victim / "file", "preview.png": victim / "new",
    }.items():  # fmt: skip
        aside = trap.root / "kept"
        link = out / name
        if link.exists():
            link.rename(aside)
        link.symlink_to(target)
        code, err = trap.invoke(*argv, "--overwrite", "--preview")
        assert (victim / "file").read_text() == "precious"
        assert sorted(p.name for p in victim.iterdir()) == ["file"]
        assert code in {1, 2}, (name, err)
        assert "is a link" in err
        link.unlink()
        if aside.exists():
            aside.rename(link)
    assert trap.invoke(*argv, "--overwrite")[0] == 0


def test_an_output_folder_that_is_a_link(trap: Trap) -> None:
    """To an empty folder it is that folder; to one with other things, or to nothing, it is refused."""
    argv = ("build", "--buildings", houses(trap), "--ground-z", "0")
    empty, full = trap.folder("empty"), trap.folder("full")
    (full / "precious").write_text("x")
    (trap.root / "to-full").symlink_to(full)
    (trap.root / "to-nothing").symlink_to(trap.root / "nothing" / CANARY.lower())
    (trap.root / "to-empty").symlink_to(empty)
    for name in ("to-full", "to-nothing"):
        done = trap.run(*argv, out=name)
        assert done.returncode in {1, 2}, done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert sorted(p.name for p in full.iterdir()) in ([".citygen", "precious"], ["precious"])
    before = trap.state()
    done = spawn(*argv, "-o", str(trap.root / "to-empty"), folder=trap.folder("work"))
    assert done.returncode == 0, done.stderr
    after = trap.state()
    assert all(name in after and (after[name] == kind or name == "empty") for name, kind in before.items())
    assert {name.split("/")[0] for name in set(after) - set(before)} <= {"empty", "work"}


@pytest.mark.slow
def test_every_hard_case_leaves_its_folder_alone(testdata: Path, trap: Trap) -> None:
    """The synthetic inputs in one folder, built one after the other in one process: nothing beside them changes."""
    import shutil

    folder = trap.folder("in")
    shutil.copytree(testdata / "hardcases/synthetic", folder / "synthetic")
    script = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); from commandline import invoke\n"
        "for k, name in enumerate(sys.argv[3:]):\n"
        "    code, err = invoke('build', '--buildings', name, '--ground-z', '0', '-o', f'{sys.argv[2]}/{k}')\n"
        "    assert code in (0, 2, 3), (name, code, err)\n"
    )
    import subprocess

    names = sorted(
        str(p) for p in (folder / "synthetic").rglob("*") if p.is_file() and p.suffix not in {".tif", ".csv"}
    )
    before = trap.state(aside=trap.root / "out")
    argv = [sys.executable, "-c", script, str(Path(__file__).parent), str(trap.root / "out"), *names]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, cwd=trap.folder("work"))
    assert done.returncode == 0, done.stderr
    trap.folder("work")
    assert {k: v for k, v in trap.state(aside=trap.root / "out").items() if k != "work"} == before
    assert not trap.seen


def test_a_bomb_in_a_column_does_not_fill_the_memory(trap: Trap) -> None:
    """A value of 20 MB, repeated: read in batches; it is a value that cannot be parsed, cut in the report."""
    frame = gpd.GeoDataFrame(
        {"id": [f"b{k}" for k in range(20)], "height": ["9" * 2_000_000] * 20},
        geometry=shapely.box(*(np.array([2.35, 48.85, 2.3502, 48.8501])[:, None] + 0.0004 * np.arange(20))),
        crs=4326,
    )
    frame.to_parquet(trap.folder("in") / "a.parquet")
    done = trap.run("build", "--buildings", str(trap.root / "in" / "a.parquet"), "--ground-z", "0")
    assert done.returncode == 0, done.stderr
    assert max(len(d) for row in rows(trap.root / "out").values() for d in row["details"]) < 10_000
