"""Certified solids to the same with dormers and chimneys on their roofs, certified again; what fails stays plain."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.model.attributes import Attributes
from citygen.model.meshes import FLOOR, Meshes, concatenate, take
from citygen.outcome import Finding, reason
from citygen.pipeline.options import TileOptions
from citygen.pipeline.shaping import Shaped
from citygen.roofs.base import ROOFS
from citygen.roofs.plan import RoofPlan
from citygen.solids import chimneys, dormers
from citygen.solids.certify import certify, plan_areas, surface_areas
from citygen.solids.chance import seeds
from citygen.solids.insert import Things, insert

FAILED = reason("features_failed", "degraded", "With its dormers and chimneys the solid was not sound; it has none.")


@dataclass(frozen=True, slots=True)
class Features:
    """
    What stands on the roofs.

    Attributes
    ----------
    dormers, chimneys : (n,) int64
        How many each row has, on all its solids.
    """

    dormers: Int64
    chimneys: Int64


def add_features(
    shaped: Shaped, plan: RoofPlan, about: tuple[Objects, Attributes, Float64], options: TileOptions
) -> tuple[Shaped, Features, list[Finding]]:
    """
    Put dormers and chimneys on the roofs of a tile.

    A number in a row's data counts, also 0; where there is none the option does, on pitched roofs.

    Parameters
    ----------
    shaped : Shaped
        Solids of the tile.
    plan : RoofPlan
        Of its n rows.
    about : ((n,) object of str, Attributes, (n,) float64)
        Feature ids, attributes and floor areas of the rows.
    options : TileOptions
        For what ``dormers`` and ``chimneys`` say.

    Returns
    -------
    Shaped, Features, list of Finding
    """
    ids, attributes, area_m2 = about
    n = len(ids)
    none = Features(np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64))
    said = (attributes.dormers, attributes.chimneys)
    asked = [np.isfinite(numbers) for numbers in said]
    if not (options.dormers or options.chimneys or any(np.any(numbers > 0) for numbers in said)):
        return shaped, none, []
    built = np.bincount(shaped.meshes.solid_row, minlength=n) > 0
    takes = np.isin(shaped.shape_name, [s.name for s in ROOFS if s.takes_dormers])
    pitched = built & (plan.rise_m > 0) & takes
    seed = seeds(ids)
    names = attributes.class_name
    wanted = (
        np.where(built, _wanted(said[0], options.dormers, dormers.auto_dormers(names, area_m2, seed), pitched), 0),
        np.where(built, _wanted(said[1], options.chimneys, chimneys.auto_chimneys(names, area_m2, seed), pitched), 0),
    )
    rows = ((wanted[0] > 0) | (wanted[1] > 0)) & takes
    meshes, features, failed = _grow(shaped.meshes, wanted, seed, rows)
    findings = [Finding(failed, FAILED)] if len(failed) else []
    for kind, want, have, given in (
        (dormers, wanted[0], features.dormers, asked[0]),
        (chimneys, wanted[1], features.chimneys, asked[1]),
    ):
        short = have < want
        short[failed] = False
        for code, which in ((kind.FEWER, given), (kind.FITTED, ~given)):
            some = np.flatnonzero(short & which)
            if len(some):
                findings.append(Finding(some, code, [f"{have[k]} of {want[k]}" for k in some.tolist()]))
    return replace(shaped, meshes=meshes), features, findings


def _wanted(said: Float64, option: int | Literal["auto"] | None, chance: Int64, pitched: Bool) -> Int64:
    """Return how many each row is to have: the data's number, else the option's on pitched roofs."""
    default = chance if option == "auto" else np.full(len(said), option or 0)
    return np.where(np.isfinite(said), np.nan_to_num(said), np.where(pitched, default, 0)).astype(np.int64)


def _grow(meshes: Meshes, wanted: tuple[Int64, Int64], seed: Int64, rows: Bool) -> tuple[Meshes, Features, Int64]:
    """Return all solids, those of the rows with features, how many each row has, and the rows that failed."""
    n = len(seed)
    chosen = np.flatnonzero(rows[meshes.solid_row])
    if len(chosen) == 0:
        return meshes, Features(np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)), chosen
    plain = take(meshes, chosen)
    grown, first = plain, np.zeros(n, dtype=np.int64)
    for things in dormers.place_dormers(plain, wanted[0], seed, np.ones(len(plain.face_class), dtype=bool)):
        first += _per_row(plain, things, n)
        grown = _insert_among(grown, plain, things)
    things = chimneys.place_chimneys(grown, wanted[1], seed, _was_there(grown, plain))
    second = _per_row(grown, things, n)
    grown = insert(grown, things)
    sound = np.logical_and.reduce(list(certify(grown, surface_areas(plain)[FLOOR], plan_areas(plain)).values()))
    failed = np.unique(grown.solid_row[~sound])
    first[failed], second[failed] = 0, 0
    good = ~np.isin(plain.solid_row, failed)
    source = np.arange(len(meshes))
    source[chosen[good]] = len(meshes) + np.flatnonzero(good)
    return take(concatenate([meshes, grown]), source), Features(first, second), failed


def _per_row(meshes: Meshes, things: Things, n: int) -> Int64:
    """Count things by table row."""
    solid = np.searchsorted(meshes.solid_faces, things.face, side="right") - 1
    return np.bincount(meshes.solid_row[solid], minlength=n).astype(np.int64)


def _was_there(grown: Meshes, plain: Meshes) -> Bool:
    """Say which faces of grown solids are those of the plain ones: they come first in each solid."""
    solid = np.repeat(np.arange(len(grown)), np.diff(grown.solid_faces))
    place = np.arange(len(solid)) - grown.solid_faces[solid]
    out: Bool = place < np.diff(plain.solid_faces)[solid]
    return out


def _insert_among(grown: Meshes, plain: Meshes, things: Things) -> Meshes:
    """Insert things whose faces are those of the plain solids into solids that have other things already."""
    solid = np.searchsorted(plain.solid_faces, things.face, side="right") - 1
    return insert(grown, replace(things, face=things.face + (grown.solid_faces - plain.solid_faces)[solid]))
