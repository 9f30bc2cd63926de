"""A row, its raw values and its reasons to sentences, step by step in the order of a build."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely

from citygen.attributes.keys import KEYS
from citygen.attributes.read import FROM_OUTLINE
from citygen.attributes.rule import rules_in_order
from citygen.attributes.trace import Said
from citygen.geom.geodesy import transformer
from citygen.pipeline.explain.reread import RawRow

_PREFIXES = {
    "duplicate_": "source",
    "covered_": "source",
    "coordinates_": "place",
    "geometry_": "outline",
    "footprint_": "outline",
    "ring_": "outline",
    "overlap": "outline",
    "part": "parts",
    "replaced_": "parts",
    "outline_": "parts",
    "remainder_": "parts",
    "attribute": "attributes",
    "material_": "attributes",
    "country_": "attributes",
    "underground": "attributes",
    "height_": "height",
    "eave_": "height",
    "ground_": "ground",
    "entrance_": "ground",
    "buried": "height",
    "raised_": "height",
    "roof_": "roof",
    "overhang_": "roof",
    "dormers_": "roof",
    "chimneys_": "roof",
    "features_": "roof",
}
"""Start of a reason code to the step in which it arises; all others belong to the solid."""
_DATUMS = {
    "lowest": "the lowest ground under its building",
    "mean": "the mean ground under its building",
    "highest": "the highest ground under its building",
    "entrance": "the ground at its building's entrance, or the mean where none is known",
}
_UNITS = {"length": " m", "angle": "°", "bearing": "°"}


@dataclass(frozen=True, slots=True)
class Account:
    """
    What is known of a row.

    Attributes
    ----------
    row : dict
        Catalogue columns.
    outline : shapely geometry or None
        As built, working CRS.
    raw : RawRow or None
        As in the source.
    said : list of Said
        What the raw row says of each key.
    reasons : list of dict
        Code, outcome, meaning, detail.
    parts : list of str
        Rows that are parts of this one.
    report : dict
        ``report.json``.
    """

    row: dict[str, Any]
    outline: Any
    raw: RawRow | None
    said: list[Said]
    reasons: list[dict[str, Any]]
    parts: list[str]
    report: dict[str, Any]


def steps_of(account: Account) -> list[dict[str, Any]]:
    """
    Put the decisions in sentences.

    Parameters
    ----------
    account : Account
        Of one row.

    Returns
    -------
    list of dict
        ``step``, ``said`` (sentences), ``reasons`` (codes); steps of which there is nothing to say are left out.
    """
    makers = {
        "source": _source,
        "place": _place,
        "outline": _outline,
        "parts": _parts,
        "attributes": _attributes,
        "ground": _ground,
        "height": _height,
        "roof": _roof,
        "solid": _solid,
    }
    out = []
    for name, make in makers.items():
        own = [reason for reason in account.reasons if step_of(reason["code"]) == name]
        sentences = [*make(account), *(_sentence(reason) for reason in own)]
        if sentences:
            out.append({"step": name, "said": sentences, "reasons": [reason["code"] for reason in own]})
    return out


def step_of(code: str) -> str:
    """
    Name the step in which a reason arises.

    Examples
    --------
    >>> step_of("footprint_repaired"), step_of("solid_not_closed")
    ('outline', 'solid')
    """
    return next((step for start, step in _PREFIXES.items() if code.startswith(start)), "solid")


def _sentence(reason: dict[str, Any]) -> str:
    detail = f" [{reason['detail']}]" if reason["detail"] else ""
    return f"{reason['code']}: {reason['meaning']}{detail}"


def _source(account: Account) -> list[str]:
    source = next((s for s in account.report["sources"] if s["label"] == account.row["source"]), None)
    if source is None:
        return [f"From the source {account.row['source']!r}."]
    name = source["path"] or f"the table {source['label']!r}"
    at = "" if account.raw is None else f", row {account.raw.number}"
    return [f"From {name}{at}, read in the dialect {source['dialect']!r}."]


def _place(account: Account) -> list[str]:
    row, report = account.row, account.report
    crs = pyproj.CRS.from_user_input(report["crs"])
    if row["tile"] is None:
        return (
            []
            if account.outline is None
            else [f"Placed in {crs.name}; it stands in no tile, as nothing was built of it."]
        )
    x, y = shapely.get_coordinates(account.outline.centroid)[0].tolist()
    lon, lat = transformer(report["crs"], "OGC:CRS84").transform(x, y)
    return [
        f"Placed in {crs.name} at {x:.2f}, {y:.2f} (lon {lon:.6f}, lat {lat:.6f}): tile {row['tile']} of the grid {report['grid']}."
    ]


def _outline(account: Account) -> list[str]:
    raw, row = account.raw, account.row
    said = []
    if raw is not None and raw.problem:
        said.append(f"The geometry could not be read: {raw.problem}.")
    if raw is not None and raw.geometry is not None and not raw.problem:
        said.append(_raw_outline(raw, account))
    built = row["footprint_area_m2"]
    if built is not None and row["tile"] is not None:
        said.append(f"The outline that was built on has {built:,.2f} m².")
    return said


def _raw_outline(raw: RawRow, account: Account) -> str:
    """Describe the source's geometry: type, corners, courtyards, area, validity."""
    geometry = raw.geometry
    corners = len(shapely.get_coordinates(geometry))
    if "Polygon" not in geometry.geom_type:
        return f"The source has a {geometry.geom_type} of {corners} coordinates."
    holes = int(sum(shapely.get_num_interior_rings(p) for p in shapely.get_parts(geometry)))
    world = shapely.force_2d(geometry)
    with np.errstate(all="ignore"):
        change = transformer(raw.crs, account.report["crs"])
        world = shapely.transform(world, lambda xy: np.stack(change.transform(xy[:, 0], xy[:, 1])[:2], axis=1))
    area = shapely.area(world)
    size = f"{area:,.2f} m²" if np.isfinite(area) else "no area that can be told"
    yards = f", {holes} courtyard{'s' if holes > 1 else ''}" if holes else ""
    valid = "valid" if shapely.is_valid(geometry) else f"invalid: {shapely.is_valid_reason(geometry)}"
    return f"The source has a {geometry.geom_type} of {corners} coordinates{yards}, {size}, {valid}."


def _parts(account: Account) -> list[str]:
    said = []
    if account.row["part_of"]:
        said.append(f"It is a part of the outline {account.row['part_of']}.")
    if account.parts:
        names = ", ".join(account.parts[:8]) + (f" and {len(account.parts) - 8} more" if len(account.parts) > 8 else "")
        said.append(f"It has {len(account.parts)} part{'s' if len(account.parts) > 1 else ''}: {names}.")
    return said


def value_text(key: str, value: float | str) -> str:
    """
    Write a value as it was read, with its unit.

    Examples
    --------
    >>> value_text("height", 12.192), value_text("roof_colour", float(0xA03020)), value_text("levels", 3.0)
    ('12.192 m', '#a03020', '3')
    """
    if isinstance(value, str):
        return value
    kind = KEYS[key].kind
    return f"#{int(value):06x}" if kind == "colour" else f"{value:.6g}{_UNITS.get(kind, '')}"


def _attributes(account: Account) -> list[str]:
    said = []
    for one in account.said:
        raw = f"{one.column} = {one.raw[:80]!r}"
        if one.value is not None:
            said.append(f"{one.key} <- {raw}: {value_text(one.key, one.value)}")
        elif one.why == "zero":
            said.append(f"{one.key} <- {raw}: zero stands for 'not known'")
        elif one.why == "unreadable":
            said.append(f"{one.key} <- {raw}: could not be read, or is not plausible")
        else:
            said.append(f"{one.key} <- {raw}: says nothing that this key knows")
    if account.raw is not None and not account.said:
        said.append("The row says nothing that the dialect reads.")
    return said


def _ground(account: Account) -> list[str]:
    row, options = account.row, account.report["options"]
    if row["ground_z"] is None:
        return []
    where = ", ".join(Path(path).name for path in options["dem"]) or "level ground"
    datum = f"It stands on {row['ground_z']:.2f} m, {_DATUMS[options.get('datum', 'lowest')]} ({where})"
    said = f"{datum}; its walls start at {row['base_z']:.2f} m."
    if row.get("ground_slope_deg") is not None:
        low, high = row["ground_min"], row["ground_max"]
        said += f" Under its outline the ground lies at {low:.2f} to {high:.2f} m, a slope of {row['ground_slope_deg']:.1f}°."
    if row.get("cut_m3") is not None:
        said += f" Its platform takes {row['cut_m3']:.0f} m³ off and {row['fill_m3']:.0f} m³ on."
    vertical = account.report["vertical"]
    return [said + (f" In the tiles {vertical['assumed']}." if vertical["known"] else "")]


def _height(account: Account) -> list[str]:
    decided = account.row["height_from"]
    if not decided:
        return []
    result = _height_result(account.row)
    if decided == FROM_OUTLINE:
        return [f"The row gives no height; that of its outline was taken. {result}"]
    said: list[str] = []
    by_key = {one.key: one for one in account.said}
    for rule in rules_in_order():
        if rule.name == decided:
            return [*said, f"Rule {rule.name!r} decided: {rule.text} {result}"]
        said.append(f"Rule {rule.name!r} did not decide: {_why_not(rule.name, by_key, read=account.raw is not None)}")
    return [*said, f"The rule {decided!r} decided; it is not known to this version of citygen. {result}"]


def _height_result(row: dict[str, Any]) -> str:
    """Say what height came out, and how sure it is."""
    sigma = row.get("height_sigma_m")
    sure = "" if sigma is None else f", give or take {sigma:.1f} m (one standard deviation)"
    return (
        f"The top is {row['height_m']:.2f} m above the ground{sure}; the eave {row['eave_z'] - row['ground_z']:.2f} m."
    )


def _why_not(name: str, by_key: dict[str, Said], *, read: bool) -> str:
    """Say why a height rule did not decide."""
    if name not in KEYS:
        return "it has nothing to say of this row."
    if not read:
        return f"the source gave no usable {name}."
    one = by_key.get(name)
    if one is None:
        return f"the source gives no {name}."
    if one.value is None:
        why = {"zero": "is zero, which stands for 'not known'", "unreadable": "could not be read"}.get(
            one.why, "says nothing"
        )
        return f"{one.column} = {one.raw[:80]!r} {why}."
    return f"{name} is {value_text(name, one.value)}, which gives no height."


def _roof(account: Account) -> list[str]:
    row = account.row
    if not row["roof_shape"]:
        return []
    asked = row["roof_asked"]
    rise = row["ridge_z"] - row["eave_z"]
    built = f"built {row['roof_shape']}, {rise:.2f} m from eave to top"
    if not asked:
        return [f"No roof shape is given: {built}."]
    same = row["roof_from"] == "tag"
    return [
        f"Asked for {asked!r}: {built}{'' if same else ', as what was asked for could not be built or is not known'}."
    ]


def _solid(account: Account) -> list[str]:
    row = account.row
    if row["tile"] is None:
        gone = "replaced_by_parts" in row["reasons"]
        return ["Its parts were built in its place." if gone else "Nothing was built of it."]
    extra = [f"{row[name]} {name}" for name in ("dormers", "chimneys") if row[name]]
    areas = f"{row['roof_area_m2']:,.1f} m² of roof and {row['wall_area_m2']:,.1f} m² of wall"
    things = f", with {' and '.join(extra)}" if extra else ""
    return [f"A closed solid of {row['volume_m3']:,.1f} m³, {areas}{things}; certified before it was written."]
