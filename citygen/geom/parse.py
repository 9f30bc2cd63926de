"""WKB of strangers to geometries, row by row: what cannot be read is None, whatever is wrong with it."""

from typing import Literal

import numpy as np
import shapely

from citygen.arraytypes import Objects

_CURVES = {8: "CircularString", 9: "CompoundCurve", 10: "CurvePolygon", 11: "MultiCurve", 12: "MultiSurface"} | {
    13: "Curve", 14: "Surface", 15: "PolyhedralSurface", 16: "TIN", 17: "Triangle",
}  # fmt: skip


def parse_wkb(raw: Objects, *, close: bool = False) -> Objects:
    """
    Parse WKB.

    Parameters
    ----------
    raw : (n,) object of bytes or None
        WKB of any type, also broken.
    close : bool
        Close rings that are not; else a row with one is None.

    Returns
    -------
    (n,) object
        Shapely geometries; None for None and for what cannot be read: cut or damaged bytes, curves and surfaces.

    Examples
    --------
    >>> parse_wkb(np.array([shapely.Point(1, 2).wkb, b"junk", None], dtype=object)).tolist()
    [<POINT (1 2)>, None, None]
    """
    how: Literal["fix", "ignore"] = "fix" if close else "ignore"
    with np.errstate(invalid="ignore"):  # NaN among the coordinates is for others to judge
        try:
            return np.asarray(shapely.from_wkb(raw, on_invalid=how), dtype=object)
        except NotImplementedError:  # one curve fails the whole array, whatever on_invalid says
            out: Objects = np.full(len(raw), None, dtype=object)
            for k, blob in enumerate(raw.tolist()):
                try:
                    out[k] = shapely.from_wkb(blob, on_invalid=how)
                except NotImplementedError:
                    continue
            return out


def unread_because(blob: bytes) -> str:
    """
    Say in a few words why ``parse_wkb`` gives None for a row's bytes.

    Examples
    --------
    >>> unread_because(bytes([1, 10, 0, 0, 0, 0, 0, 0, 0]))
    'a CurvePolygon: curves and surfaces are not read, export the file with straight segments'
    >>> unread_because(b"junk")
    'not readable as WKB'
    """
    if len(blob) >= 5 and blob[0] in (0, 1):
        kind = _CURVES.get((int.from_bytes(blob[1:5], "little" if blob[0] else "big") & 0x0FFFFFFF) % 1000)
        if kind is not None:
            return f"a {kind}: curves and surfaces are not read, export the file with straight segments"
    return "not readable as WKB"
