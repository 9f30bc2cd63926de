"""
The triangles of a tile, taken together by feature id, to issues: is every building closed, outward, of positive volume.

Vertices are one where their stored float32 coordinates are equal, so the check is exact: what a client loads is what
is judged. A shell is a 2-manifold when every directed edge occurs once and its reverse once, and when the triangles
around each vertex form one fan.
"""

import numpy as np

from citygen.arraytypes import AnyArray, Bool, Float32, Float64, Int64
from citygen.validation.asset import Asset
from citygen.validation.issues import IssueLog
from citygen.validation.soup import Soup, gather_soup

SHOWN = 3
"""Feature ids that a message quotes."""


def check_solids(asset: Asset, issues: IssueLog) -> tuple[int, int]:
    """
    Check that the triangles of every feature bound a solid.

    Parameters
    ----------
    asset : Asset
        A tile.
    issues : IssueLog
        Takes one issue a kind of fault, with the number of features and the first of them.

    Returns
    -------
    n_features, n_triangles : int
        What was checked; 0, 0 for a tile without feature ids by attribute.
    """
    soup = gather_soup(asset, issues)
    if soup is None or len(soup.features) == 0:
        return 0, 0
    faults = solid_faults(soup)
    if _says_open(asset):
        faults["SOLID_OPEN_EDGE"] = faults["SOLID_OPEN_EDGE"][:0]
    for code, message in MESSAGES.items():
        bad = faults[code]
        if len(bad):
            report = issues.warning if code == "SOLID_DEGENERATE_TRIANGLE" else issues.error
            shown = ", ".join(str(feature) for feature in bad[:SHOWN].tolist())
            report(code, "/meshes", f"{message}: {len(bad)} features, the first: {shown}")
    return len(np.unique(soup.features)), len(soup.features)


def _says_open(asset: Asset) -> bool:
    """Say whether the tile's writer left out the walls that solids hide from each other, and says so."""
    node = asset.gltf.json.get("asset")
    for name in ("extras", "citygen", "party_walls"):
        node = node.get(name) if isinstance(node, dict) else None
    return node == "drop"


MESSAGES = {
    "SOLID_DEGENERATE_TRIANGLE": "two corners of a triangle are the same point",
    "SOLID_OPEN_EDGE": "an edge has a triangle on one side only",
    "SOLID_NON_MANIFOLD_EDGE": "an edge has more than two triangles, or two that run the same way",
    "SOLID_PINCHED_VERTEX": "shells touch in a single vertex",
    "SOLID_INSIDE_OUT": "a shell has no positive volume",
}


def solid_faults(soup: Soup) -> dict[str, Int64]:
    """
    Return the features that break each rule of a closed solid.

    Parameters
    ----------
    soup : Soup
        At least one triangle.

    Returns
    -------
    dict of (k,) int64
        Sorted feature ids by issue code; a feature whose edges are at fault is not judged further.
    """
    vertices = _merge(soup)
    degenerate: Bool = (vertices == np.roll(vertices, 1, axis=1)).any(axis=1)
    kept, features = vertices[~degenerate], soup.features[~degenerate]
    owner: Int64 = np.zeros(int(vertices.max()) + 1, dtype=np.int64)
    owner[vertices] = soup.features[:, None]
    forward, backward = _edge_keys(kept, len(owner))
    outward, inward = np.sort(forward), np.sort(backward)
    repeated = outward[1:][outward[1:] == outward[:-1]]
    manifold_fault = np.unique(owner[repeated // len(owner)])
    lonely = _difference(outward, inward)
    open_fault = np.setdiff1d(owner[lonely // len(owner)], manifold_fault)
    closed = ~np.isin(features, np.concatenate([manifold_fault, open_fault]))
    kept, features, corners = kept[closed], features[closed], soup.corners[~degenerate][closed]
    volumes = _volumes(corners, _components(kept, len(owner)))
    return {
        "SOLID_DEGENERATE_TRIANGLE": np.unique(soup.features[degenerate]),
        "SOLID_OPEN_EDGE": open_fault,
        "SOLID_NON_MANIFOLD_EDGE": manifold_fault,
        "SOLID_PINCHED_VERTEX": np.unique(owner[_pinched(kept, len(owner))]),
        "SOLID_INSIDE_OUT": np.union1d(features[volumes <= 0], np.setdiff1d(soup.features, soup.features[~degenerate])),
    }


def _edge_keys(vertices: Int64, n: int) -> tuple[Int64, Int64]:
    """Return one number a directed edge and one for its reverse; edge 3t + k runs from corner k of triangle t."""
    tail, head = vertices.ravel(), np.roll(vertices, -1, axis=1).ravel()
    return tail * n + head, head * n + tail


def _pinched(vertices: Int64, n: int) -> Int64:
    """Return the vertices of closed shells around which the triangles form more than one fan."""
    forward, backward = _edge_keys(vertices, n)
    twin: Int64 = np.empty_like(forward)
    twin[np.argsort(backward)] = np.argsort(forward)
    following = twin - twin % 3 + (twin + 1) % 3
    fan: Int64 = np.arange(len(twin), dtype=np.int64)
    while True:
        least = np.minimum(fan, fan[following])
        if np.array_equal(least, fan):
            break
        fan, following = least, following[following]
    hubs = np.sort(vertices.ravel()[fan == np.arange(len(fan))])
    double: Int64 = hubs[1:][hubs[1:] == hubs[:-1]]
    return double


def _merge(soup: Soup) -> Int64:
    """Return a number for each distinct (feature, position) pair; (t, 3) int64, exact on the coordinates' bits."""
    bits = (soup.corners + np.float32(0.0)).view(np.uint32).reshape(-1, 3)
    columns: tuple[AnyArray, ...] = (np.repeat(soup.features, 3), bits[:, 0], bits[:, 1], bits[:, 2])
    key = np.zeros(len(bits), dtype=np.uint64)
    for column, factor in zip(columns, MIXERS, strict=True):
        key ^= column.astype(np.uint64) * np.uint64(factor)
        key ^= key >> np.uint64(31)
        key *= np.uint64(0xFF51AFD7ED558CCD)
    order = np.argsort(key)
    steps = _steps(columns, order)
    if np.any(steps & ~_steps((key,), order)):
        order = np.lexsort(columns)
        steps = _steps(columns, order)
    number: Int64 = np.empty(len(order), dtype=np.int64)
    number[order] = np.concatenate([[0], np.cumsum(steps)])
    return number.reshape(-1, 3)


MIXERS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93)
"""Odd numbers that spread a column over 64 bits; where two rows meet in one key, the rows themselves are sorted."""


def _steps(columns: tuple[AnyArray, ...], order: Int64) -> Bool:
    """Say where a row of an order differs from the one before it; (n - 1,) bool."""
    steps: Bool = np.zeros(len(order) - 1, dtype=bool)
    for column in columns:
        ordered = column[order]
        steps |= ordered[1:] != ordered[:-1]
    return steps


def _difference(forward: Int64, backward: Int64) -> Int64:
    """Return the sorted keys that the other sorted array lacks, or has less often."""
    if np.array_equal(forward, backward):
        return forward[:0]
    return np.setdiff1d(np.concatenate([forward, backward]), np.intersect1d(forward, backward))


def _components(vertices: Int64, n: int) -> Int64:
    """Return the connected shell of each triangle, as the smallest vertex number in it; (t,) int64."""
    label: Int64 = np.arange(n, dtype=np.int64)
    order = np.argsort(vertices.ravel(), kind="stable")
    users = order // 3
    sorted_vertices = vertices.ravel()[order]
    starts = np.flatnonzero(np.r_[True, np.diff(sorted_vertices) != 0]) if len(order) else order
    present = sorted_vertices[starts]
    while len(order):
        least = label[vertices].min(axis=1)
        news = label.copy()
        news[present] = np.minimum.reduceat(least[users], starts)
        news = news[news]
        if np.array_equal(news, label):
            break
        label = news
    return label[vertices[:, 0]]


def _volumes(corners: Float32, shells: Int64) -> Float64:
    """Return the volume of the shell of each triangle, m3, positive when it faces outward; (t,) float64."""
    if len(shells) == 0:
        return np.zeros(0)
    _, first, inverse = np.unique(shells, return_index=True, return_inverse=True)
    origin = corners[first, 0].astype(np.float64)[inverse]
    a, b, c = (corners[:, k].astype(np.float64) - origin for k in range(3))
    six_fold = np.einsum("ij,ij->i", a, np.cross(b, c))
    volumes: Float64 = np.bincount(inverse, six_fold)[inverse] / 6.0
    return volumes
