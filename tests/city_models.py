"""Small city models, written for tests: CityJSON, CityJSONSeq and CityGML of boxes and of what a test hands in."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import geopandas as gpd
import numpy as np

Ring = Sequence[Sequence[float]]

NAMESPACES = (
    'xmlns="http://www.opengis.net/citygml/2.0" xmlns:bldg="http://www.opengis.net/citygml/building/2.0" '
    'xmlns:gen="http://www.opengis.net/citygml/generics/2.0" xmlns:gml="http://www.opengis.net/gml" '
    'xmlns:xlink="http://www.w3.org/1999/xlink"'
)


def level(outline: Ring, z: float) -> list[list[float]]:
    return [[x, y, z] for x, y in outline]


def square(x: float, y: float, size: float = 10.0) -> list[list[float]]:
    return [[x, y], [x + size, y], [x + size, y + size], [x, y + size]]


def box_surfaces(outline: Ring, low: float, high: float) -> list[tuple[str, list[Ring]]]:
    """Ground, roof and walls of a box."""
    pairs = zip(outline, [*outline[1:], outline[0]], strict=True)
    walls = [("WallSurface", [[[*a, low], [*b, low], [*b, high], [*a, high]]]) for a, b in pairs]
    return [("GroundSurface", [level(outline, low)[::-1]]), ("RoofSurface", [level(outline, high)]), *walls]


class Vertices:
    """Whole-number vertices of a file, each once."""

    def __init__(self, scale: float, translate: Sequence[float]) -> None:
        self.scale, self.translate = scale, translate
        self.index: dict[tuple[int, ...], int] = {}

    def __call__(self, rings: Iterable[Ring]) -> list[list[int]]:
        return [[self.of(point) for point in ring] for ring in rings]

    def of(self, point: Sequence[float]) -> int:
        whole = tuple(round((v - t) / self.scale) for v, t in zip(point, self.translate, strict=True))
        return self.index.setdefault(whole, len(self.index))


def geometry(
    vertices: Vertices, surfaces: Sequence[tuple[str, list[Ring]]], lod: str = "2", kind: str = "Solid"
) -> dict:
    """Return a CityJSON geometry of semantic surfaces ('' for none)."""
    boundaries: Any = [vertices(rings) for _, rings in surfaces]
    values: Any = list(range(len(surfaces)))
    if kind == "Solid":
        boundaries, values = [boundaries], [values]
    out = {"type": kind, "lod": lod, "boundaries": boundaries}
    if any(name for name, _ in surfaces):
        out["semantics"] = {"surfaces": [{"type": name} for name, _ in surfaces], "values": values}
    return out


Maker = Any
"""A function of Vertices that returns CityObjects by id."""


def city_json(make: Maker, *, crs: str | None, version: str = "2.0", **more: Any) -> dict[str, Any]:
    vertices = Vertices(0.001, [500_000.0, 5_700_000.0, 0.0])
    objects = make(vertices)
    out = {
        "type": "CityJSON",
        "version": version,
        "transform": {"scale": [0.001] * 3, "translate": list(vertices.translate)},
        "metadata": {} if crs is None else {"referenceSystem": f"https://www.opengis.net/def/crs/EPSG/0/{crs[5:]}"},
        "CityObjects": objects,
        "vertices": [list(v) for v in vertices.index],
    }
    return {**out, **more}


def city_json_seq(make: Maker, *, crs: str) -> str:
    """One feature a top-level object, each with its own vertices."""
    head = {**city_json(lambda _: {}, crs=crs), "CityObjects": {}, "vertices": []}
    lines = [json.dumps(head)]
    whole = make(Vertices(0.001, [500_000.0, 5_700_000.0, 0.0]))
    for name in whole:
        vertices = Vertices(0.001, [500_000.0, 5_700_000.0, 0.0])
        own = make(vertices)[name]
        points = [list(v) for v in vertices.index]
        lines.append(
            json.dumps({"type": "CityJSONFeature", "id": name, "CityObjects": {name: own}, "vertices": points})
        )
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> Any:
    return (
        None
        if isinstance(value, float) and math.isnan(value)
        else value.item()
        if isinstance(value, np.generic)
        else value
    )


def _outline(shape: Any) -> Ring | None:
    return None if shape is None or shape.is_empty else [list(p) for p in shape.exterior.coords[:-1]]


def city_objects(gdf: gpd.GeoDataFrame) -> Maker:
    """Return a maker of one building a row, with its outline as LoD 0, or without geometry."""

    def make(vertices: Vertices) -> dict[str, Any]:
        out = {}
        for row in gdf.itertuples():
            outline = _outline(row.geometry)
            flat = [] if outline is None else [("", [level(outline, 0.0)])]
            attributes = {name: _plain(getattr(row, name)) for name in gdf.columns if name not in ("id", "geometry")}
            out[row.id] = {
                "type": "Building",
                "attributes": attributes,
                "geometry": [geometry(vertices, flat, "0", "MultiSurface")],
            }
        return out

    return make


def polygon(rings: Sequence[Ring], name: str | None = None, dim: str = "") -> str:
    """Return a gml:Polygon; its rings are closed here."""
    parts = []
    for k, ring in enumerate(rings):
        closed = [*ring, ring[0]]
        tag = "interior" if k else "exterior"
        words = " ".join(repr(float(v)) for point in closed for v in point)
        parts.append(f"<gml:{tag}><gml:LinearRing><gml:posList{dim}>{words}</gml:posList></gml:LinearRing></gml:{tag}>")
    own = "" if name is None else f" gml:id={quoteattr(name)}"
    return f"<gml:Polygon{own}>{''.join(parts)}</gml:Polygon>"


def members(polygons: Iterable[str]) -> str:
    inner = "".join(f"<gml:surfaceMember>{p}</gml:surfaceMember>" for p in polygons)
    return f"<gml:MultiSurface>{inner}</gml:MultiSurface>"


def bounded(kind: str, polygons: Iterable[str], lod: int = 2) -> str:
    inner = f"<bldg:lod{lod}MultiSurface>{members(polygons)}</bldg:lod{lod}MultiSurface>"
    return f"<bldg:boundedBy><bldg:{kind}>{inner}</bldg:{kind}></bldg:boundedBy>"


def gml_box(outline: Ring, low: float, high: float) -> str:
    return "".join(bounded(kind, [polygon(rings)]) for kind, rings in box_surfaces(outline, low, high))


def building(name: str, inner: str, kind: str = "Building") -> str:
    return f"<bldg:{kind} gml:id={quoteattr(name)}>{inner}</bldg:{kind}>"


def city_gml(buildings: Iterable[str], *, crs: str | None, head: str = "") -> str:
    """Return a CityGML 2.0 file."""
    envelope = (
        ""
        if crs is None
        else (
            f'<gml:boundedBy><gml:Envelope srsName={quoteattr(crs)} srsDimension="3">'
            "<gml:lowerCorner>0 0 0</gml:lowerCorner><gml:upperCorner>1 1 1</gml:upperCorner></gml:Envelope></gml:boundedBy>"
        )
    )
    inner = "".join(f"<cityObjectMember>{each}</cityObjectMember>\n" for each in buildings)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}<CityModel {NAMESPACES}>{envelope}\n{inner}</CityModel>\n'


def gml_attributes(values: Mapping[str, Any]) -> str:
    """Return generic attributes, and ``name`` as gml:name."""
    out = []
    for name, value in values.items():
        if value is None:
            continue
        if name == "name":
            out.append(f"<gml:name>{escape(str(value))}</gml:name>")
            continue
        kind = "int" if isinstance(value, int) else "double" if isinstance(value, float) else "string"
        out.append(
            f"<gen:{kind}Attribute name={quoteattr(name)}><gen:value>{escape(str(value))}</gen:value></gen:{kind}Attribute>"
        )
    return "".join(out)


def gml_buildings(gdf: gpd.GeoDataFrame) -> list[str]:
    """Return one building a row, with its outline as LoD 0 footprint, or without geometry."""
    out = []
    for row in gdf.itertuples():
        outline = _outline(row.geometry)
        values = {name: _plain(getattr(row, name)) for name in gdf.columns if name not in ("id", "geometry")}
        flat = (
            ""
            if outline is None
            else f"<bldg:lod0FootPrint>{members([polygon([level(outline, 0.0)])])}</bldg:lod0FootPrint>"
        )
        out.append(building(row.id, gml_attributes(values) + flat))
    return out
