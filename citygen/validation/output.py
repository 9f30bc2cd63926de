"""
An output folder of citygen to a report: tileset and tiles by the specifications, solids closed, rows and tiles agree.

The folder is that of DESIGN section 5: ``tileset.json``, ``tiles/<level>/<col>_<row>.glb``, ``buildings.parquet``,
``terrain/<level>/<col>_<row>.glb`` where terrain was asked for.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from citygen.errors import InputError
from citygen.outcome import OUTCOMES
from citygen.validation.asset import Asset
from citygen.validation.content import Placement, Visit
from citygen.validation.issues import Issue, IssueLog, join, quote
from citygen.validation.placement import check_placement
from citygen.validation.property_tables import read_strings
from citygen.validation.resources import Folder
from citygen.validation.solids import check_solids
from citygen.validation.structural_metadata import NAME
from citygen.validation.tileset import walk_tileset

BUILDINGS = "buildings.parquet"
TILES = "tiles"
TERRAIN = "terrain"
COLUMNS = ("id", "outcome", "tile")
OPTIONAL = ("part_of", "reasons")
ELSEWHERE = frozenset({"replaced_by_parts", "covered_by_other_source", "duplicate_footprint"})
"""Reasons of rows in whose place other rows were built."""
SHOWN = 3
"""Ids that a message quotes."""


@dataclass(frozen=True, slots=True)
class Report:
    """
    What was checked, and what was found.

    Attributes
    ----------
    tiles : int
        glTF contents of the tileset.
    features, triangles : int
        Solids, and their triangles, over all tiles.
    buildings : int
        Rows of the table of buildings.
    outcomes : dict
        Rows by outcome.
    issues : tuple of Issue
        In the order found.
    """

    tiles: int
    features: int
    triangles: int
    buildings: int
    outcomes: dict[str, int]
    issues: tuple[Issue, ...]

    @property
    def errors(self) -> int:
        """Number of issues that are errors."""
        return sum(issue.severity == "error" for issue in self.issues)

    @property
    def warnings(self) -> int:
        """Number of issues that are warnings."""
        return len(self.issues) - self.errors


@dataclass(slots=True)
class _Tally:
    """What the walk over the tiles adds up."""

    features: int = 0
    triangles: int = 0
    ids: dict[str, list[str]] = field(default_factory=dict)

    def see(self, name: str, asset: Asset, placement: Placement, issues: IssueLog) -> None:
        """Check one tile beyond the specifications and note which buildings it holds."""
        n_features, n_triangles = check_solids(asset, issues)
        self.features += n_features
        self.triangles += n_triangles
        check_placement(asset, *placement, issues)
        self.ids[name] = _building_ids(asset, n_features, issues)


def check_output(folder: str | Path) -> Report:
    """
    Check an output folder of citygen.

    Parameters
    ----------
    folder : path
        That holds ``tileset.json`` and ``buildings.parquet``.

    Returns
    -------
    Report
        Counts and issues. What the Khronos validator checks beyond the data is left to it.

    Raises
    ------
    InputError
        When the folder holds no tileset.
    """
    folder = Path(folder)
    tileset = folder / "tileset.json"
    if not tileset.is_file():
        raise InputError(f"{folder}: no tileset.json in this folder; give a folder that `citygen build` wrote")
    tally = _Tally()
    issues = walk_tileset(tileset, Visit(Folder(folder), tally.see))
    _check_strays(folder, tally, issues)
    outcomes = _check_buildings(folder, tally, issues)
    return Report(
        tiles=len(tally.ids),
        features=tally.features,
        triangles=tally.triangles,
        buildings=sum(outcomes.values()),
        outcomes=outcomes,
        issues=tuple(issues.found),
    )


def tile_name(uri: str, *, with_level: bool) -> str:
    """
    Return the ``tile`` of ``buildings.parquet`` that a tile's file stands for.

    Parameters
    ----------
    uri : str
        Path of the file below the output folder.
    with_level : bool
        Whether the table's names begin with the level.

    Examples
    --------
    >>> tile_name("tiles/500/12_-3.glb", with_level=False)
    '12_-3'
    """
    name = uri.removeprefix(f"{TILES}/").removesuffix(".glb")
    return name if with_level else name.rsplit("/", 1)[-1]


def _building_ids(asset: Asset, n_features: int, issues: IssueLog) -> list[str]:
    """Return the ids in a tile's property table, one a feature."""
    tables = asset.gltf.json.get("extensions", {}).get(NAME, {}).get("propertyTables", [])
    if not tables:
        if n_features:
            issues.error("BUILDING_IDS_MISSING", "", "the tile has features but no property table")
        return []
    at = join("/extensions", NAME, "propertyTables", 0)
    ids = read_strings(asset.gltf, tables[0], "id") if isinstance(tables[0], dict) else None
    if ids is None:
        issues.error("BUILDING_IDS_MISSING", at, "the property table has no readable column 'id'")
        return []
    if len(ids) != n_features:
        issues.error(
            "BUILDING_WITHOUT_SOLID", at, f"the table has {len(ids)} rows, the triangles {n_features} features"
        )
    return ids


def _check_strays(folder: Path, tally: _Tally, issues: IssueLog) -> None:
    """Check that the tileset refers to every tile in the folder."""
    found = sorted(
        path.relative_to(folder).as_posix() for name in (TILES, TERRAIN) for path in (folder / name).rglob("*.glb")
    )
    strays = [name for name in found if name not in tally.ids]
    if strays:
        issues.error("TILE_NOT_IN_TILESET", "", f"{len(strays)} tiles are not in the tileset, the first: {strays[0]!a}")


def _check_buildings(folder: Path, tally: _Tally, issues: IssueLog) -> dict[str, int]:
    """Check the table of buildings against the tiles and return its rows by outcome."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / BUILDINGS
    if not path.is_file():
        issues.error("IO_ERROR", "", f"the file {BUILDINGS} is missing")
        return {}
    rows = IssueLog(BUILDINGS)
    try:
        held = set(pq.read_schema(path).names)
        table = pq.read_table(path, columns=[name for name in (*COLUMNS, *OPTIONAL) if name in held])
    except (pa.ArrowInvalid, OSError) as error:
        rows.error("IO_ERROR", "", f"the table cannot be read: {quote(str(error))}")
        issues.extend(rows.found)
        return {}
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        rows.error("PROPERTY_MISSING", "", f"the table has no column {', '.join(missing)}")
        issues.extend(rows.found)
        return {}
    ids, outcomes, tiles = (table[name].to_pylist() for name in COLUMNS)
    _check_rows(ids, outcomes, tiles, rows)
    _check_agreement(list(zip(ids, outcomes, tiles, strict=True)), tally, rows)
    wholes = set(table["part_of"].to_pylist()) if "part_of" in table.column_names else set()
    if "reasons" in table.column_names:
        wholes |= {n for n, r in zip(ids, table["reasons"].to_pylist(), strict=True) if ELSEWHERE.intersection(r or ())}
    _check_homes(list(zip(ids, outcomes, tiles, strict=True)), wholes, rows)
    issues.extend(rows.found)
    return dict(sorted(Counter(str(outcome) for outcome in outcomes).items()))


def _check_rows(ids: list[str], outcomes: list[str], tiles: list[str | None], issues: IssueLog) -> None:
    twice = [name for name, count in Counter(ids).items() if count > 1]
    _complain("BUILDING_ID_NOT_UNIQUE", "/id", "ids occur more than once", twice, issues)
    _complain(
        "REQUIRED_VALUE_NOT_FOUND", "/id", "rows have no id", [k for k, name in enumerate(ids) if name is None], issues
    )
    alien = [outcome for outcome in outcomes if outcome not in OUTCOMES]
    _complain("VALUE_NOT_IN_LIST", "/outcome", f"outcomes are none of {', '.join(OUTCOMES)}", alien, issues)
    rejected = [i for i, o, t in zip(ids, outcomes, tiles, strict=True) if o == "rejected" and t is not None]
    _complain("BUILDING_REJECTED_WITH_TILE", "/tile", "rejected rows have a tile", rejected, issues)


def _check_agreement(rows: list[tuple[str, str, str | None]], tally: _Tally, issues: IssueLog) -> None:
    """Check that built rows and tiles say the same, both ways."""
    told = {(name, tile) for name, outcome, tile in rows if outcome != "rejected" and tile is not None}
    with_level = any("/" in tile for _, _, tile in rows if tile is not None)
    held = Counter((name, tile_name(uri, with_level=with_level)) for uri, names in tally.ids.items() for name in names)
    twice = [name for (name, _), count in held.items() if count > 1]
    _complain("BUILDING_ID_NOT_UNIQUE", "", "ids occur more than once in a tile", twice, issues)
    lost = sorted(name for name, tile in told - held.keys())
    _complain("BUILDING_NOT_IN_TILE", "/tile", "rows are built but not in the table of their tile", lost, issues)
    extra = sorted(name for name, tile in held.keys() - told)
    _complain("BUILDING_WITHOUT_ROW", "/id", "buildings in tiles have no built row for that tile", extra, issues)


def _check_homes(rows: list[tuple[str, str, str | None]], wholes: set[str | None], issues: IssueLog) -> None:
    """Check that every built row has a tile, but for those in whose place others were built."""
    homeless = [name for name, outcome, tile in rows if outcome != "rejected" and tile is None and name not in wholes]
    if homeless:
        message = f"{len(homeless)} built rows have no tile, the first: {quote(homeless[0])}"
        issues.warning("BUILDING_WITHOUT_TILE", "/tile", message)


def _complain(code: str, pointer: str, what: str, found: list[str] | list[int], issues: IssueLog) -> None:
    if found:
        issues.error(code, pointer, f"{len(found)} {what}, the first: {', '.join(quote(k) for k in found[:SHOWN])}")
