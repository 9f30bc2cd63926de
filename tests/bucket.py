"""A local HTTP server with the layout and the ways of a public bucket: listings, ranges, HEAD; it counts, and fails on demand."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

RELEASES = ("2025-12-17.0", "2026-01-21.0")


@dataclass
class Bucket:
    """What the server did, and how it is to misbehave."""

    root: Path
    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    served: int = 0
    fail_first: int = 0  # 503 to as many requests
    cut: str = ""  # bodies of paths that hold this end early
    ranges: bool = True
    page: int = 1000  # keys of a listing

    def reset(self) -> None:
        """Forget what was asked."""
        self.requests, self.served = [], 0


@contextmanager
def serving(root: Path) -> Iterator[Bucket]:
    """Serve a folder as a bucket on a free port of this machine."""
    bucket = Bucket(root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(bucket))
    bucket.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(bucket: Bucket) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            bucket.requests.append((self.command, self.path))
            if bucket.fail_first > 0:
                bucket.fail_first -= 1
                return self._send(503, b"slow down", {}, body=body)
            parts = urlsplit(self.path)
            if "list-type" in parts.query:
                folder = unquote(parts.path).strip("/")
                return self._send(200, listing(bucket, folder, parse_qs(parts.query)), {}, body=body)
            path = bucket.root / unquote(parts.path).lstrip("/")
            if not path.is_file():
                return self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", {}, body=body)
            data = path.read_bytes()
            etag = {"ETag": f'"{len(data):x}-{path.stat().st_mtime_ns:x}"'}
            wanted = self.headers.get("Range")
            if wanted is None or not bucket.ranges:
                return self._send(200, data, etag, body=body)
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start = int(first) if first else max(0, len(data) - int(last))
            end = min(int(last) + 1 if first and last else len(data), len(data))
            etag["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
            return self._send(206, data[start:end], etag, body=body)

        def _send(self, status: int, data: bytes, headers: dict[str, str], *, body: bool) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                data = data[: len(data) // 2] if bucket.cut and bucket.cut in self.path else data
                bucket.served += len(data)
                self.wfile.write(data)

    return Handler


def listing(bucket: Bucket, folder: str, query: dict[str, list[str]]) -> bytes:
    """Return the answer to ListObjectsV2, in pages."""
    prefix, delimiter = query["prefix"][0], query.get("delimiter", [""])[0]
    base = bucket.root / folder
    keys = sorted(p.relative_to(base).as_posix() for p in base.rglob("*") if p.is_file())
    keys = [key for key in keys if key.startswith(prefix)]
    folders = sorted({prefix + k[len(prefix) :].partition("/")[0] + "/" for k in keys if "/" in k[len(prefix) :]})
    if delimiter:
        keys = [key for key in keys if "/" not in key[len(prefix) :]]
    after = int(query.get("continuation-token", ["0"])[0])
    shown, more = keys[after : after + bucket.page], after + bucket.page < len(keys)
    items = [
        f"<Contents><Key>{escape(key)}</Key><Size>{(base / key).stat().st_size}</Size>"
        f"<ETag>&quot;{(base / key).stat().st_mtime_ns:x}&quot;</ETag></Contents>"
        for key in shown
    ]
    items += [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders if delimiter]
    items += [f"<NextContinuationToken>{after + bucket.page}</NextContinuationToken>"] if more else []
    head = '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    return (head + "".join(items) + "</ListBucketResult>").encode()


# --- Overture ------------------------------------------------------------------------------------------------------------

CENTRE = (7.5, 50.3)
"""Middle of the town that the releases hold, degrees."""
AREA = (7.4995, 50.2995, 7.5015, 50.3015)
"""A few of its blocks."""


def town(count: int, middle: tuple[float, float] = CENTRE, prefix: str = "b") -> pa.Table:
    """Return count x count square buildings around a place, in Overture's columns."""
    k = np.arange(count * count)
    x = middle[0] + (k % count - count / 2) * 0.0004
    y = middle[1] + (k // count - count / 2) * 0.0003
    shapes = shapely.box(x, y, x + 0.0002, y + 0.00015)
    height = np.where(k % 3 == 0, np.nan, 6.0 + k % 7)
    return overture_table(
        shapes,
        {
            "id": pa.array([f"{prefix}-{i:06d}" for i in k]),
            "height": pa.array(height, from_pandas=True),
            "num_floors": pa.array(np.where(k % 3 == 0, 2, 0), pa.int32(), mask=k % 3 != 0),
            "class": pa.array(np.where(k % 2 == 0, "house", None)),
            "roof_shape": pa.array(np.array([None, "half_hipped", "spherical", "gabled"], dtype=object)[k % 4]),
            "has_parts": pa.array(np.zeros(len(k), dtype=bool)),
            "is_underground": pa.array(k % 50 == 7),
            "sources": pa.array(
                [
                    [{"property": "", "dataset": "OpenStreetMap" if i % 4 else "Microsoft ML Buildings"}]
                    for i in k.tolist()
                ]
            ),
            "names": pa.array([{"primary": f"House {i}" * 40} for i in k.tolist()]),
        },
    )


def parts_of(buildings: pa.Table, rows: list[int]) -> pa.Table:
    """Return two parts, side by side, for each of some buildings."""
    chosen = buildings.take(pa.array(rows))
    boxes = shapely.bounds(shapely.from_wkb(chosen["geometry"].to_numpy()))
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    shapes = [shapely.box(boxes[:, 0], boxes[:, 1], middle, boxes[:, 3]), shapely.box(middle, *boxes[:, 1:].T)]
    owner = chosen["id"].to_pylist() * 2
    return overture_table(
        np.concatenate(shapes),
        {
            "id": pa.array([f"p-{name}-{i}" for i, name in enumerate(owner)]),
            "building_id": pa.array(owner),
            "height": pa.array([12.0] * len(rows) + [20.0] * len(rows)),
            "min_height": pa.array([0.0] * len(owner)),
            "roof_shape": pa.array(["flat"] * len(owner)),
            "facade_color": pa.array(["#aa3311"] * len(owner)),
            "sources": pa.array([[{"property": "", "dataset": "OpenStreetMap"}]] * len(owner)),
        },
    )


def overture_table(shapes: np.ndarray, columns: dict[str, pa.Array]) -> pa.Table:
    """Return a table with Overture's bbox column (float32) and GeoParquet 1.1 metadata."""
    box = shapely.bounds(shapes)
    sides = [pa.array(box[:, i].astype(np.float32)) for i in (0, 2, 1, 3)]
    table = pa.table(
        {
            "geometry": pa.array(shapely.to_wkb(shapes), pa.binary()),
            "bbox": pa.StructArray.from_arrays(sides, ["xmin", "xmax", "ymin", "ymax"]),
            **columns,
        }
    )
    low, high = box[:, :2].min(axis=0).tolist(), box[:, 2:].max(axis=0).tolist()
    covering = {"bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}}
    column = {"encoding": "WKB", "geometry_types": ["Polygon"], "bbox": [*low, *high], "covering": covering}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    return table.replace_schema_metadata({"geo": json.dumps(geo)})


def write_release(root: Path, release: str = RELEASES[-1], count: int = 80) -> pa.Table:
    """Write a release: a file of the town in row groups, one of a town far away, and their parts; return the town."""
    folder = root / "release" / release / "theme=buildings"
    for kind in ("building", "building_part"):
        (folder / f"type={kind}").mkdir(parents=True, exist_ok=True)
    near, far = town(count), town(count, (-70.0, 10.0), "far")
    pq.write_table(near, folder / "type=building" / "part-00000.zstd.parquet", row_group_size=400)
    pq.write_table(far, folder / "type=building" / "part-00001.zstd.parquet", row_group_size=400)
    middle = count * count // 2 + count // 2
    pq.write_table(parts_of(near, [middle, middle + 1]), folder / "type=building_part" / "part-00000.zstd.parquet")
    other = root / "release" / release / "theme=places" / "type=place"
    other.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"id": ["x"]}), other / "part-00000.zstd.parquet")
    return near


def write_catalogue(root: Path, base: str, release: str = RELEASES[-1]) -> None:
    """Write the catalogue of a release: one row a file, with its box and where it lies."""
    rows = []
    for path in sorted((root / "release" / release).rglob("*.parquet")):
        kind = path.parent.name.partition("=")[2]
        geo = json.loads((pq.read_schema(path).metadata or {}).get(b"geo", b'{"columns": {}}'))
        box = geo["columns"].get("geometry", {}).get("bbox", [-180.0, -90.0, 180.0, 90.0])
        key = path.relative_to(root).as_posix()
        rows.append(
            {
                "collection": kind,
                "bbox": dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)),
                "assets": {"aws-s3": {"href": f"s3://somewhere/{key}"}, "aws-https": {"href": f"{base}/{key}"}},
            }
        )
    (root / "stac" / release).mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), root / "stac" / release / "collections.parquet")


# --- Copernicus ----------------------------------------------------------------------------------------------------------


def write_tiles(root: Path, *tiles: tuple[int, int], height: float = 120.0, cells: int = 120) -> None:
    """Write tiles of Copernicus' names, cells centred on whole degrees, and the list of them."""
    import rasterio
    from rasterio.transform import from_origin

    from citygen.ground.remotes.copernicus import tile_name

    for south, west in tiles:
        name = tile_name(south, west)
        (root / name).mkdir(parents=True, exist_ok=True)
        step = 1.0 / cells
        form = {"driver": "GTiff", "width": cells, "height": cells, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
        where = from_origin(west - step / 2, south + 1 + step / 2, step, step)
        rise = np.linspace(0, 30, cells, dtype=np.float32)[None, None, :].repeat(cells, axis=1)
        with rasterio.open(root / name / f"{name}.tif", "w", transform=where, tiled=True, **form) as out:
            out.write(rise + np.float32(height))
    (root / "tileList.txt").write_text("".join(f"{tile_name(*tile)}\n" for tile in tiles))
