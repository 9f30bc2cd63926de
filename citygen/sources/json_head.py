"""The first bytes of a JSON file to what its root object says of itself, so that the JSON formats exclude each other."""

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(:?)|[{}\[\]]')
_CITY_KEYS = frozenset({"CityObjects", "vertices", "transform", "appearance", "geometry-templates", "extensions"})
_CITY_LATER = frozenset({"metadata", "version", "$schema"})


@dataclass(slots=True)
class JsonHead:
    """
    What the start of a file shows of its first value.

    Attributes
    ----------
    kind : str or None
        The root object's ``type``, None where it is not seen.
    keys : set of str
        The root object's members that are seen.
    ends : bool
        Whether the value ends within what is seen.
    more : bool
        Whether another value follows it there.
    """

    kind: str | None = None
    keys: set[str] = field(default_factory=set)
    ends: bool = False
    more: bool = False


def read_json_head(head: bytes) -> JsonHead:
    """
    Look at the root object of a JSON text that may be cut anywhere.

    Examples
    --------
    >>> read_json_head(b'{"version": "2.0", "CityObjects": {"a": {"type": "Buil').keys == {"version", "CityObjects"}
    True
    """
    utf16 = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = head.decode("utf-16" if utf16 else "utf-8-sig", "replace").lstrip(" \t\r\n\x1e\x00")
    out = JsonHead()
    if not text.startswith("{"):
        return out
    depth, key = 0, None
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
            if depth == 0:
                out.ends, out.more = True, bool(text[token.end() :].strip(" \t\r\n\x1e\x00"))
                return out
        elif depth == 1 and token[2]:
            key = token[1]
            out.keys.add(key)
        elif depth == 1 and key == "type" and out.kind is None:
            out.kind = token[1]
    return out


def is_city_model(head: bytes) -> bool:
    """
    Say whether a JSON file is CityJSON or CityJSONSeq, in whatever order its members stand.

    Examples
    --------
    >>> is_city_model(b'{"type": "CityJSON"'), is_city_model(b'{"type": "FeatureCollection"')
    (True, False)
    """
    seen = read_json_head(head)
    if seen.kind is not None:
        return seen.kind.startswith("CityJSON")
    return bool(seen.keys & _CITY_KEYS) or (not seen.ends and bool(seen.keys) and seen.keys <= _CITY_LATER)


def is_city_sequence(head: bytes) -> bool:
    """Say whether a JSON file is CityJSONSeq, as far as its start shows: a first line that ends, and more behind it."""
    seen = read_json_head(head)
    return is_city_model(head) and ((seen.ends and seen.more) or seen.kind == "CityJSONFeature")
