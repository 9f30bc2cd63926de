"""
A GDAL virtual raster (VRT) to the raster files that it puts together, read as data: GDAL never opens one here.

Taken is what ``gdalbuildvrt`` writes: band 1 put together from whole local files that lie beside or below the VRT, each where its
own georeference says. Everything that computes, cuts, warps, reaches elsewhere or nests is refused with its reason.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from xml.etree import ElementTree as ET

from citygen.errors import InputError

MAX_BYTES = 32 << 20
"""Bytes of XML: some 100,000 sources."""

_SOURCES = ("SimpleSource", "ComplexSource")
_COMPUTED = ("KernelFilteredSource", "AveragedSource", "NoDataFromMaskSource", "ArraySource")
_CHANGES = {"ScaleOffset": 0.0, "ScaleRatio": 1.0}
_BAND_CHANGES = {"Offset": 0.0, "Scale": 1.0}


@dataclass(frozen=True, slots=True)
class VrtSource:
    """
    One raster of a VRT.

    Attributes
    ----------
    path : Path
        Absolute; a local file beside or below the VRT.
    nodata : float or None
        What the VRT says is void in it.
    crs : str
        What the VRT says of its CRS, for files that do not; '' for nothing.
    width, height : int
        Its cells, as the VRT believes; 0 where it does not say it.
    bounds : tuple of 4 float or None
        Where the VRT puts it (min x, min y, max x, max y); None where it does not say it.
    """

    path: Path
    nodata: float | None
    crs: str
    width: int
    height: int
    bounds: tuple[float, float, float, float] | None


def read_vrt(path: Path) -> list[VrtSource]:
    """
    List the rasters of a VRT, the most trusted first: GDAL paints them in the order of the file, so the last comes first.

    Parameters
    ----------
    path : Path
        The VRT.

    Returns
    -------
    list of VrtSource
        At least one.

    Raises
    ------
    InputError
        For a VRT that does anything but put whole local files beside each other; the message says what.
    """
    root = _root(path)
    if root.tag != "VRTDataset" or root.get("subClass"):
        raise _refused(path, f"it is a {root.get('subClass') or root.tag}, which computes its cells")
    for tag in ("PansharpeningOptions", "GDALWarpOptions", "ProcessingSteps", "Group", "Input"):
        if root.find(tag) is not None:
            raise _refused(path, f"it computes its cells ({tag})")
    band = next((each for each in root.iter("VRTRasterBand") if each.get("band", "1") == "1"), None)
    if band is None:
        raise _refused(path, "it has no band 1")
    if band.get("subClass") or band.find("PixelFunctionType") is not None:
        raise _refused(path, f"its band is a {band.get('subClass') or 'pixel function'}, which computes its cells")
    _unchanged(path, band, _BAND_CHANGES)
    for each in band:
        if each.tag in _COMPUTED:
            raise _refused(path, f"a source computes its cells ({each.tag})")
    crs = (root.findtext("SRS") or "").strip()
    transform = _numbers(path, root.findtext("GeoTransform"), 6)
    nodata = _number(path, band.findtext("NoDataValue"))
    found = [_source(path, each, (crs, transform, nodata)) for each in band if each.tag in _SOURCES]
    if not found:
        raise _refused(path, "it has no sources")
    return list(dict.fromkeys(reversed(found)))


def _root(path: Path) -> ET.Element:
    """Parse the XML; what could hide or multiply content is refused before."""
    if path.stat().st_size > MAX_BYTES:
        raise _refused(path, f"it is larger than {MAX_BYTES >> 20} MB")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(path, "it is not UTF-8") from error
    if "<!DOCTYPE" in text or "<!ENTITY" in text or "\0" in text:
        raise _refused(path, "it declares a document type or entities")
    declared = text.lstrip()[:120].lower()
    if declared.startswith("<?xml") and "encoding" in declared.partition("?>")[0] and "utf-8" not in declared:
        raise _refused(path, "it is not UTF-8")
    try:
        return ET.fromstring(text.encode())  # noqa: S314  without a document type there are no entities to expand
    except ET.ParseError as error:
        raise _refused(path, f"it is no XML ({error})") from error


def _source(path: Path, source: ET.Element, common: tuple[str, Any, float | None]) -> VrtSource:
    """Check one source, and say where it lies."""
    crs, transform, nodata = common
    if source.findtext("SourceBand", "1").strip() != "1":
        raise _refused(path, f"a source is band {source.findtext('SourceBand')!r}; heights are band 1")
    for tag in ("LUT", "ColorTableComponent", "Exponent", "OpenOptions", "UseMaskBand"):
        if source.find(tag) is not None:
            raise _refused(path, f"a source computes its cells or opens in its own way ({tag})")
    _unchanged(path, source, _CHANGES)
    name = source.find("SourceFilename")
    found = _place(path, name)
    size = source.find("SourceProperties")
    width, height = (
        (0, 0) if size is None else (int(_of(path, size, "RasterXSize")), int(_of(path, size, "RasterYSize")))
    )
    cut, target = source.find("SrcRect"), source.find("DstRect")
    if cut is not None:
        whole = (_of(path, cut, "xOff"), _of(path, cut, "yOff")) == (0.0, 0.0) and (
            not width or (_of(path, cut, "xSize"), _of(path, cut, "ySize")) == (width, height)
        )
        if not whole:
            raise _refused(path, f"it takes only a part of {found.name}")
        width, height = width or int(_of(path, cut, "xSize")), height or int(_of(path, cut, "ySize"))
    own = source.findtext("NODATA")
    bounds = None if target is None or transform is None else _bounds(path, target, transform)
    return VrtSource(found, nodata if own is None else _number(path, own), crs, width, height, bounds)


def _place(path: Path, name: ET.Element | None) -> Path:
    """Return the file that a source names, when it is a plain one beside or below the VRT."""
    text = "" if name is None or name.text is None else name.text.strip()
    odd = (
        not text or "://" in text or ":" in PurePosixPath(text).parts[0][2:] or text.replace("\\", "/").startswith("//")
    )
    if odd or text.replace("\\", "/").lower().startswith("/vsi") or text.lstrip().startswith("<"):
        raise _refused(path, f"a source is no local file: {text[:80]!r}")
    relative = name is not None and name.get("relativeToVRT", "0") == "1"
    words = PureWindowsPath(text) if "\\" in text else PurePosixPath(text)
    folder = path.parent.resolve()
    found = (folder / Path(*words.parts) if relative or not words.is_absolute() else Path(text)).resolve()
    if not found.is_relative_to(folder):
        raise _refused(path, f"a source lies neither beside nor below it: {text[:80]!r}")
    if not found.is_file():
        raise InputError(f"DEM {path}: its source {text[:80]!r} is not there")
    return found


def _bounds(path: Path, target: ET.Element, t: tuple[float, ...]) -> tuple[float, float, float, float]:
    """Return where the VRT puts a source."""
    c0, r0 = _of(path, target, "xOff"), _of(path, target, "yOff")
    c1, r1 = c0 + _of(path, target, "xSize"), r0 + _of(path, target, "ySize")
    corners = [(t[0] + t[1] * c + t[2] * r, t[3] + t[4] * c + t[5] * r) for c in (c0, c1) for r in (r0, r1)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _unchanged(path: Path, element: ET.Element, plain: dict[str, float]) -> None:
    """See that nothing scales or shifts the cells."""
    for tag, value in plain.items():
        if element.find(tag) is not None and _number(path, element.findtext(tag)) != value:
            raise _refused(path, f"it changes the values ({tag})")


def _of(path: Path, element: ET.Element, name: str) -> float:
    value = _number(path, element.get(name))
    if value is None:
        raise _refused(path, f"{element.tag} lacks {name}")
    return value


def _number(path: Path, text: str | None) -> float | None:
    try:
        return None if text is None or not text.strip() else float(text)
    except ValueError as error:
        raise _refused(path, f"{str(text)[:40]!r} is no number") from error


def _numbers(path: Path, text: str | None, count: int) -> tuple[float, ...] | None:
    if text is None:
        return None
    found = [_number(path, word) for word in text.split(",")]
    if len(found) != count or None in found:
        raise _refused(path, f"its GeoTransform {text[:60]!r} is not {count} numbers")
    return tuple(value for value in found if value is not None)


def _refused(path: Path, why: str) -> InputError:
    return InputError(
        f"DEM {path}: this VRT cannot be taken: {why}; give its rasters themselves (--dem, repeatable, or a folder)"
    )
