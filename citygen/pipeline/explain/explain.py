"""
An id of a finished build to an account of it: its row, the raw tags, and each decision with its rule, in the order of a build.

What decided is taken from the row itself; the raw row is read again only to show what it said, and only while its file is the
one that was built from.
"""

import difflib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

from citygen.attributes.dialect import DIALECTS
from citygen.attributes.rule import HEIGHT_RULES
from citygen.attributes.trace import Said, trace_row
from citygen.errors import InputError
from citygen.outcome import known_reasons
from citygen.pipeline.explain.reread import RawRow, reread
from citygen.pipeline.explain.steps import Account, steps_of
from citygen.pipeline.rows import DUPLICATE, OTHER_SOURCE
from citygen.roofs.base import FAMILIES, ROOFS

_MANY = 20_000


def explain_row(out: Path, feature_id: str) -> dict[str, Any]:
    """
    Account for one row.

    Parameters
    ----------
    out : pathlib.Path
        A finished output folder.
    feature_id : str
        An id of its ``buildings.parquet``.

    Returns
    -------
    dict
        As JSON can hold it: ``id``, ``source_id``, ``source``, ``outcome``, ``row`` (catalogue columns but the geometry),
        ``raw`` (``read``, ``why``, ``tags``, ``row``), ``attributes`` (key, column, raw value, value as read, why not), ``steps``
        (name, sentences, reasons), ``reasons`` (code, outcome, meaning, detail), ``parts`` (ids, where parts stand for it).

    Raises
    ------
    InputError
        When the folder holds no finished build, or no row has the id; similar ids are named.
    """
    report = read_report(out)
    row = _row(out, feature_id)
    for registry in (HEIGHT_RULES, DIALECTS, ROOFS, FAMILIES):
        registry.load()
    reasons = _reasons(report, row)
    source_id = _source_id(out, feature_id, reasons)
    source = next((s for s in report["sources"] if s["label"] == row["source"]), None)
    outline = None if row["geometry"] is None else shapely.from_wkb(row["geometry"])
    raw, why = (None, "The report does not name the row's source.")
    if source is not None:
        raw, why = reread(report, source, source_id, (outline, _earlier(out, feature_id, source_id)))
    said = _said(raw, source, report)
    parts = related(out, "part_of", feature_id)
    account = Account(row, outline, raw, said, reasons, parts, report)
    return {
        "id": feature_id,
        "source_id": source_id,
        "source": source,
        "outcome": row["outcome"],
        "row": {name: value for name, value in row.items() if name != "geometry"},
        "raw": {
            "read": raw is not None,
            "why": why,
            "row": None if raw is None else raw.number,
            "tags": {} if raw is None else raw.tags(),
        },
        "attributes": [{"key": s.key, "column": s.column, "raw": s.raw, "value": s.value, "why": s.why} for s in said],
        "steps": steps_of(account),
        "reasons": reasons,
        "parts": parts,
    }


def _source_id(out: Path, feature_id: str, reasons: list[dict[str, Any]]) -> str:
    """Return the id that a row has in its source; one that was rejected before it had a tile is renamed without a reason."""
    told = next(
        (reason["detail"] for reason in reasons if reason["code"] in {DUPLICATE, OTHER_SOURCE} and reason["detail"]), ""
    )
    first, sign, number = feature_id.rpartition("#")
    if told or not (sign and number.isdigit() and [r for r in reasons if r["outcome"] == "rejected"]):
        return told or feature_id
    ids = pq.ParquetFile(out / "buildings.parquet").read(columns=["id"])["id"]
    return first if pc.index(ids, first).as_py() >= 0 else feature_id


def read_report(out: Path) -> dict[str, Any]:
    """
    Read ``report.json`` of a finished build.

    Raises
    ------
    InputError
        When there is none.
    """
    try:
        report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
        report["citygen"], report["sources"], report["options"], report["inputs"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{out}: no finished build lies here (no report.json of citygen)") from error
    return report


def _row(out: Path, feature_id: str) -> dict[str, Any]:
    """Return the catalogue row of an id."""
    path = out / "buildings.parquet"
    try:
        table = pq.ParquetFile(path)
        for group in range(table.num_row_groups):
            ids = table.read_row_group(group, columns=["id"])["id"]
            at = pc.index(ids, feature_id).as_py()
            if at >= 0:
                found: dict[str, Any] = table.read_row_group(group).slice(at, 1).to_pylist()[0]
                return found
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: cannot be read; build again") from error
    near = similar(table.read(columns=["id"])["id"], feature_id)
    hint = f"; did you mean {', '.join(near)}?" if near else f"; {path} lists the ids"
    raise InputError(f"{out}: no footprint has the id {feature_id!r}{hint}")


def similar(ids: pa.ChunkedArray, word: str) -> list[str]:
    """
    Return up to three ids that look like a word: those that hold it, then the nearest in spelling.

    Parameters
    ----------
    ids : pyarrow.ChunkedArray of string
        All ids.
    word : str
        What was asked for.

    Examples
    --------
    >>> similar(pa.chunked_array([["way/123", "way/124", "node/9"]]), "Way/123")
    ['way/123', 'way/124']
    """
    if not word:
        return []
    holding = ids.filter(pc.match_substring(ids, word, ignore_case=True)).slice(0, 3).to_pylist()
    pool = ids
    if len(ids) > _MANY:
        alike = pc.or_(pc.starts_with(ids, word[:3]), pc.ends_with(ids, word[-3:]))
        close = pc.less_equal(pc.abs(pc.subtract(pc.utf8_length(ids), len(word))), 2)
        pool = ids.filter(pc.and_(alike, close)).slice(0, _MANY)
    folded = {name.casefold(): name for name in pool.to_pylist()}
    near = [folded[name] for name in difflib.get_close_matches(word.casefold(), list(folded), n=3, cutoff=0.7)]
    return list(dict.fromkeys([*holding, *near]))[:3]


def related(out: Path, column: str, value: str) -> list[str]:
    """Return the ids of the rows that have a value in a column, in the order of the catalogue."""
    table = pq.ParquetFile(out / "buildings.parquet").read(columns=["id", column])
    ids: list[str] = table["id"].filter(pc.fill_null(pc.equal(table[column], value), fill_value=False)).to_pylist()
    return ids


def _earlier(out: Path, feature_id: str, source_id: str) -> int:
    """Return how many rows of the same id in the source came before this one."""
    if feature_id == source_id:
        return 0
    ids = pq.ParquetFile(out / "buildings.parquet").read(columns=["id"])["id"]
    alike = ids.filter(pc.starts_with(ids, f"{source_id}#")).to_pylist()
    numbers = sorted(int(name[len(source_id) + 1 :]) for name in alike if name[len(source_id) + 1 :].isdigit())
    own = feature_id[len(source_id) + 1 :]
    return 1 + (numbers.index(int(own)) if own.isdigit() and int(own) in numbers else 0)


def _reasons(report: dict[str, Any], row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row's reasons with what they mean and do."""
    known = {reason.code: reason for reason in known_reasons()}
    out = []
    for code, detail in zip(row["reasons"], row["details"], strict=True):
        told = report["reasons"].get(code, {}).get("meaning", "")
        meaning = known[code].sentence if code in known else told
        out.append(
            {
                "code": code,
                "outcome": known[code].outcome if code in known else "",
                "meaning": meaning,
                "detail": detail,
            }
        )
    return out


def _said(raw: RawRow | None, source: dict[str, Any] | None, report: dict[str, Any]) -> list[Said]:
    """Return what the raw row says of each key."""
    if raw is None or source is None:
        return []
    return trace_row(raw.table, source["dialect"], report["options"]["map"])
