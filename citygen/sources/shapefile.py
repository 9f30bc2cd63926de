"""
Shapefile (ESRI white paper, 1998) to batches: checked here, decoded by GDAL through links in a scratch folder.

The folder holds links to the parts that are read (.shp, .shx, .dbf, .prj, .cpg) under names of ours, so that GDAL
neither finds nor writes anything beside the user's file; a missing .shx is made there from the .shp.
"""

import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from citygen.errors import InputError
from citygen.log import get_logger
from citygen.sources.base import BATCH_ROWS, SOURCES, Bounds, Source, SourceFormat, SourceInfo, SourceOptions
from citygen.sources.batch import ID_SAMPLE, Rows, Shape, id_candidates, make_batch, shape_of
from citygen.sources.crs import file_crs, missing_crs
from citygen.sources.ogr import CrsUnreadable, describe, stream

log = get_logger(__name__)

_MAGIC = b"\x00\x00\x27\x0a"
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_SHAPES = (0, 1, 3, 5, 8, 11, 13, 15, 18, 21, 23, 25, 28, 31)
_ENCODING_SAMPLE = 8 << 20


@dataclass(frozen=True, slots=True)
class Shapefile:
    """An open shapefile; see ``citygen.sources.base.Source``."""

    info: SourceInfo
    path: Path
    shape: Shape

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches; see ``citygen.sources.base.Source``."""
        row = 0
        with _linked(self.path) as (link, lengths):
            for geometry, attributes in stream(link, str(self.path), batch_rows=batch_rows):
                rows = _rows(geometry, attributes, row, lengths)
                row += len(geometry)
                table = make_batch(rows, self.shape, bbox)
                if table is not None:
                    yield table
        if row != self.info.feature_count:
            raise InputError(
                f"{self.path}: only {row} of {self.info.feature_count} "
                "records can be read; fetch or export the file again"
            )


def open_shapefile(path: Path, options: SourceOptions) -> Source:
    """
    Open a shapefile by its ``.shp``.

    Raises
    ------
    InputError
        When it is cut off or its parts do not fit each other.
    MissingCRSError
        When there is no ``.prj`` and the user gives no CRS.
    """
    main = _main(path)
    with _linked(main, projection=options.crs is None) as (link, lengths):
        try:
            meta = describe(link, str(main))
        except CrsUnreadable as error:
            raise missing_crs(main, f"its {main.stem}.prj cannot be read ({error})") from error
        columns = tuple(str(name) for name in meta["fields"])
        head = next(stream(link, str(main), batch_rows=ID_SAMPLE), None)
    if not meta["crs"] and options.crs is None:
        part = _part(main, ".prj")
        raise missing_crs(
            main,
            f"its {part.name} says nothing that is known" if part else f"there is no {main.stem}.prj to say its CRS",
            bounds=_extent(main),
        )
    sample = {name: head[1][name] for name in id_candidates(columns)} if head is not None else {}
    shape = shape_of(columns, sample, where=str(main), id_column=options.id_column, wanted=options.columns)
    info = SourceInfo(
        name=main.stem,
        path=str(main),
        crs=file_crs(meta["crs"], where=main, given=options.crs),
        columns=tuple(shape.names.values()),
        feature_count=len(lengths),
        bounds=_extent(main),
        format="shapefile",
        files=tuple(str(part) for suffix in _PARTS if (part := _part(main, suffix)) is not None),
    )
    return Shapefile(info, main, shape)


def _main(path: Path) -> Path:
    """Return the .shp, also where the .shx (which starts alike) was given."""
    if path.suffix.lower() != ".shx":
        return path
    found = _part(path, ".shp")
    if found is None:
        raise InputError(f"{path}: this is the index of a shapefile, and there is no {path.stem}.shp beside it")
    return found


def _part(main: Path, suffix: str) -> Path | None:
    """Return another part of the same shapefile, in any letter case."""
    if main.suffix.lower() == suffix:
        return main
    for name in (main.stem + suffix, main.stem + suffix.upper()):
        if main.with_name(name).is_file():
            return main.with_name(name)
    return None


@contextmanager
def _linked(main: Path, *, projection: bool = False) -> Iterator[tuple[str, np.ndarray]]:
    """Make a scratch folder of links; give the link of the .shp and the records' lengths (n, bytes of content)."""
    with tempfile.TemporaryDirectory(prefix="citygen-shp-") as folder:
        for suffix in _PARTS:
            part = _part(main, suffix)
            if part is not None and (projection or suffix != ".prj"):
                (Path(folder) / f"layer{suffix}").symlink_to(part.resolve())
        try:
            index = _index(main, Path(folder))
            _check_table(main, len(index))
            encoding = _encoding(main)
            if encoding is not None:
                (Path(folder) / "layer.cpg").unlink(missing_ok=True)
                (Path(folder) / "layer.cpg").write_text(encoding, encoding="ascii")
        except OSError as error:
            raise InputError(f"{main}: cannot be read: {error.strerror or error}") from error
        yield str(Path(folder) / "layer.shp"), index[:, 1].astype(np.int64) * 2


def _index(main: Path, folder: Path) -> np.ndarray:
    """Return offset and length of every record, 16-bit words (n, 2); make a missing .shx in the scratch folder."""
    actual = main.stat().st_size
    with main.open("rb") as file:
        head = file.read(100)
    announced = struct.unpack_from(">i", head, 24)[0] * 2 if len(head) == 100 else 100
    if len(head) < 100 or announced > actual or struct.unpack_from("<i", head, 32)[0] not in _SHAPES:
        raise InputError(
            f"{main}: the .shp is damaged or cut off ({actual} of {announced} bytes); fetch or export it again"
        )
    part = _part(main, ".shx")
    if part is not None:
        data = part.read_bytes()[100:]
        if len(data) % 8:
            raise InputError(
                f"{part}: the .shx is damaged or cut off; remove it (it is made anew from the .shp) or fetch it again"
            )
        index = np.frombuffer(data, dtype=">i4").reshape(-1, 2)
    else:
        log.warning("%s: there is no .shx; the order of the records in the .shp is taken", main)
        index = _walk(main, announced)
        size = struct.pack(">i", 50 + 4 * len(index))
        (folder / "layer.shx").write_bytes(head[:24] + size + head[28:] + index.astype(">i4").tobytes())
    ends = (index[:, 0].astype(np.int64) + 4 + index[:, 1]) * 2
    if len(index) and (ends.max() > actual or index.min() < 0):
        raise InputError(
            f"{main}: the .shp is cut off: its index names records beyond its end; fetch or export it again"
        )
    return index


def _walk(main: Path, end: int) -> np.ndarray:
    """Find the records of a .shp one after the other."""
    at = 100
    found: list[tuple[int, int]] = []
    with main.open("rb") as file:
        while at + 8 <= end:
            file.seek(at)
            words = struct.unpack(">ii", file.read(8))[1]
            if words < 2 or at + 8 + 2 * words > end:
                raise InputError(
                    f"{main}: the .shp is damaged after {len(found)} records and has no .shx; fetch or export it again"
                )
            found.append((at // 2, words))
            at += 8 + 2 * words
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _check_table(main: Path, records: int) -> None:
    """Hold the .dbf against the .shp."""
    part = _part(main, ".dbf")
    if part is None:
        log.warning("%s: there is no .dbf; the footprints have no attributes", main)
        return
    with part.open("rb") as file:
        head = file.read(32)
    if len(head) < 32:
        raise InputError(f"{part}: the .dbf is cut off; fetch or export it again")
    rows, start, width = struct.unpack_from("<IHH", head, 4)
    if start + rows * width > part.stat().st_size:
        raise InputError(f"{part}: the .dbf is cut off (it announces {rows} rows); fetch or export it again")
    if rows != records:
        raise InputError(
            f"{part}: the .dbf has {rows} rows and the .shp {records}: they do not belong together; fetch both again"
        )


def _encoding(main: Path) -> str | None:
    """Return the encoding of the .dbf where its .cpg is missing or wrong; None where what the file says stands."""
    table, page = _part(main, ".dbf"), _part(main, ".cpg")
    if table is None:
        return None
    with table.open("rb") as file:
        data = file.read(_ENCODING_SAMPLE)
    said = "" if page is None else page.read_bytes()[:64].decode("ascii", "replace").strip().upper()
    rest = data[32:]  # the fixed header holds counts, not text
    if rest.isascii() or said not in ("", "UTF-8", "UTF8", "65001"):
        return None
    text = rest.decode("utf-8", "replace")
    bad = text.count("\ufffd")  # a character that the field's width cut in two makes a few in good UTF-8
    good = sum(not char.isascii() for char in text) - bad
    if good > 4 * bad:
        if not said:
            log.info("%s: there is no .cpg; the text of the .dbf is UTF-8", main)
        return "UTF-8"
    if said:
        log.warning("%s: the .cpg says %s, but the text of the .dbf is not; it is read as ISO-8859-1", main, said)
    elif data[29]:
        return None
    return "ISO-8859-1"


def _rows(geometry: pa.Array, attributes: dict[str, pa.Array], first: int, lengths: np.ndarray) -> Rows:
    """Make rows; a record that is more than a null shape but gave no geometry has a problem."""
    n = len(geometry)
    lost = np.asarray(geometry.is_null()) & (lengths[first : first + n] > 4)
    text = "the record of the .shp cannot be read"
    problem = pa.array([text if bad else None for bad in lost], pa.string()) if lost.any() else None
    return Rows(
        row=np.arange(first, first + n, dtype=np.int64), geometry=geometry, attributes=attributes, problem=problem
    )


def _extent(main: Path) -> Bounds | None:
    """Return the extent of the .shp's header."""
    with main.open("rb") as file:
        box: Bounds = struct.unpack_from("<4d", file.read(100), 36)
    return box if np.isfinite(box).all() and box[0] <= box[2] and box[1] <= box[3] and any(box) else None


SOURCES.register("shapefile", SourceFormat("Shapefile (.shp)", lambda head: head.startswith(_MAGIC), open_shapefile))
