"""What ``inspect`` found to a page for people; the same facts as its JSON, none computed here."""

from typing import Any

from citygen.cli.layout import Page, listed, number, percent


def page_of(found: dict[str, Any]) -> Page:
    """
    Lay out what was found.

    Parameters
    ----------
    found : dict
        See ``citygen.pipeline.survey.inspect.inspect_sources``.

    Returns
    -------
    Page
    """
    page = Page()
    for about in found["sources"]:
        _source(page, about)
    for about in found["rasters"]:
        _raster(page, about)
    if found["build"] is not None:
        _build(page, found["build"])
    return page


def _source(page: Page, about: dict[str, Any]) -> None:
    page.title(about["path"] or f"table {about['label']}")
    rows = about["rows_read"] if about["rows"] is None else about["rows"]
    page.fact(
        "format", f"{about['format_text']}, {rows:,} rows" + (f", layer {about['layer']}" if about["layer"] else "")
    )
    if about["sample"]:
        of = "" if about["sample"]["of"] is None else f" of {about['sample']['of']:,}"
        page.fact(
            "",
            f"A SAMPLE: only the first {about['sample']['rows']:,}{of} rows were read; all counts are of those.",
            "warn",
        )
    _place(page, about)
    _geometry(page, about["geometry"])
    ids = about["ids"]
    page.fact("ids", (f"column {ids['column']}: " if ids["column"] else "") + ids["why"])
    _dialect(page, about)
    _odd(page, about["oddities"])
    _suggestions(page, about["suggestions"])
    _coverage(page, about)


def _place(page: Page, about: dict[str, Any]) -> None:
    crs = about["crs"]
    code = f"{crs['code']}, " if crs["code"] else ""
    said = " (as given)" if crs["given"] else ""
    page.fact("CRS", f"{code}{crs['name']}, {crs['kind']}, {crs['unit']}{said}")
    page.fact("", "; ".join(filter(None, [crs["axis_note"], f"heights: {crs['vertical']}" if crs["vertical"] else ""])))
    degrees, own = about["extent"]["degrees"], about["extent"]["crs"]
    if degrees:
        page.fact("extent", "W,S,E,N " + ",".join(f"{v:.5f}" for v in degrees))
    if own and crs["kind"] == "projected":
        page.fact("" if degrees else "extent", f"x {own[0]:,.1f} to {own[2]:,.1f}, y {own[1]:,.1f} to {own[3]:,.1f}")


def _geometry(page: Page, geometry: dict[str, Any]) -> None:
    said = [listed(geometry["types"])]
    if geometry["with_holes"]:
        said.append(f"{geometry['with_holes']:,} with courtyards ({geometry['holes']:,})")
    if geometry["several_parts"]:
        said.append(f"{geometry['several_parts']:,} of several polygons")
    if geometry["with_heights"]:
        said.append("heights in the coordinates are not used")
    page.fact("geometry", "; ".join(filter(None, said)) or "none")
    area = geometry["area_m2"]
    if area:
        page.fact(
            "areas", f"{number(area['min'])} to {number(area['max'])} m², the middle one {number(area['median'])} m²"
        )


def _dialect(page: Page, about: dict[str, Any]) -> None:
    dialect = about["dialect"]
    by = f" by {', '.join(dialect['by'][:4])}{', ...' if len(dialect['by']) > 4 else ''}" if dialect["by"] else ""
    page.fact("dialect", f"{dialect['name']} ({dialect['chosen']}{by if dialect['chosen'] == 'recognised' else ''})")
    left = [item["column"] for item in about["unmapped"]]
    names = ", ".join(left[:12]) + (f", ... {len(left) - 12} more" if len(left) > 12 else "")
    page.fact("", f"reads {dialect['columns_read']} of {dialect['columns']} columns, {percent(dialect['share'])}")
    page.fact("not read", names)


def _odd(page: Page, oddities: list[dict[str, Any]]) -> None:
    lines = []
    for item in oddities:
        count = "" if item["count"] is None else f": {item['count']:,}"
        some = f" ({', '.join(item['examples'])})" if item["examples"] else ""
        lines.append(f"{item['text']}{count}{some}")
    page.facts("look at", lines, "warn")


def _suggestions(page: Page, suggestions: list[dict[str, Any]]) -> None:
    lines = []
    for item in suggestions:
        others = f"; or {', '.join(item['others'])}" if item["others"] and item["option"] else ""
        if item["option"]:
            lines.append(f"{item['option']}   {item['why']}{others}")
        else:
            lines.append(f"{', '.join([item['column'], *item['others']])}: {item['why']}")
    page.facts("perhaps", lines)


def _coverage(page: Page, about: dict[str, Any]) -> None:
    rows = []
    for item in about["attributes"]:
        spread = item["range"] or {}
        words = listed(item["words"], 3) if item["words"] and item["key"] != "class" else ""
        odd = f"{item['unreadable']:,}: {', '.join(item['examples'][:2])}" if item["unreadable"] else ""
        span = [number(spread.get(name)) if spread else "" for name in ("min", "median", "max")]
        rows.append(
            (item["key"], ", ".join(item["columns"]), f"{item['given']:,}", percent(item["share"]), *span, odd or words)
        )
    if rows:
        page.gap()
        page.table(
            ("key", "from", "rows", "share", "min", "middle", "max", "unreadable, or words"), rows, right="llrrrrrl"
        )
    if about["classes"]:
        page.fact("classes", listed(about["classes"], 10))


def _raster(page: Page, about: dict[str, Any]) -> None:
    page.title(about["path"])
    cells = about["resolution_m"]
    page.fact(
        "format",
        f"{about['format']}, {about['size'][0]:,} x {about['size'][1]:,} cells of {number(cells[0])} x {number(cells[1])} m",
    )
    if about["sample"]:
        page.fact(
            "", f"A SAMPLE: {about['sample']['rows']:,} of {about['sample']['of']:,} rows of cells were read.", "warn"
        )
    _place(page, about)
    heights = about["height_m"]
    if heights:
        unit = "" if about["unit"] in {"", "m", "metre"} else f", stored in {about['unit']}"
        whole = ", whole metres" if about["whole_metres"] else ""
        page.fact(
            "heights",
            f"{heights['min']:.2f} to {heights['max']:.2f} m, the middle one {heights['median']:.2f} m{unit}{whole}",
        )
    void = f"{percent(about['void_share'])} void"
    page.fact(
        "cells",
        void
        + ("" if about["nodata"] is None else f" (nodata {about['nodata']:g})")
        + f"; looks like {about['looks_like']}",
    )
    _odd(page, about["oddities"])


def _build(page: Page, build: dict[str, Any]) -> None:
    page.title("A build of this" + (" (from the sample)" if build["sampled"] else ""))
    crs = build["crs"]
    page.fact("working CRS", f"{crs['code'] or crs['name']} ({crs['chosen']})")
    page.fact("tiles", f"{build['tiles']:,} of {build['grid']}, up to {build['most_in_a_tile']:,} footprints in one")
    parts = f", {build['parts']:,} of them building parts" if build["parts"] else ""
    page.fact("footprints", f"{build['footprints']:,}{parts}")
    heights = [f"{name} {item['count']:,} ({percent(item['share'])})" for name, item in build["heights_from"].items()]
    page.fact("heights from", ", ".join(heights))
    if "not given" in build["heights_from"]:
        page.fact("", "those not given would be estimated, and marked as such in height_from")
    asked = listed(build["roofs_asked"]) or "none asked for: flat roofs"
    page.fact("roofs", asked)
    if build["roofs_unknown"]:
        page.fact("", f"not known, would be flat: {listed(build['roofs_unknown'])}", "warn")
    for label, name in (("repaired", "repaired"), ("rejected", "rejected")):
        page.facts(label, (f"{item['count']:,} {code}: {item['meaning']}" for code, item in build[name].items()))
    if not build["rejected"]:
        page.fact("rejected", "none expected")
    dem = build["dem"]
    if dem is not None:
        reach = (
            "reaches over all footprints"
            if dem["reaches"]
            else f"reaches over {percent(dem['share'])} of the footprints' extent"
        )
        page.fact("ground", reach, "" if dem["reaches"] else "warn")
