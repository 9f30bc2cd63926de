"""Bucket and prefix to the objects in it: Amazon's ListObjectsV2, which mirrors and other stores speak too."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

from citygen.log import redacted
from citygen.remote.access import Access
from citygen.remote.http import RemoteError, get


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """One file of a bucket: its URL, its key, its size in bytes, and its version tag."""

    url: str
    key: str
    size: int
    etag: str

    @property
    def shown(self) -> str:
        """The URL for messages, without the secrets in it."""
        return redacted(self.url)


def list_bucket(base: str, prefix: str, access: Access, *, deep: bool) -> tuple[list[RemoteObject], list[str]]:
    """
    List what lies under a prefix.

    Parameters
    ----------
    base : str
        URL of the bucket's root.
    prefix : str
        What the keys begin with, usually with a slash at its end.
    access : Access
        How to ask.
    deep : bool
        Whether to list all keys, or only what stands before the next slash.

    Returns
    -------
    objects : list of RemoteObject
        Sorted by key.
    folders : list of str
        Prefixes one step down, with their slashes, sorted; empty when ``deep``.

    Raises
    ------
    RemoteError
        When the bucket does not answer, or not with a listing.
    """
    base = base.rstrip("/")
    objects: list[RemoteObject] = []
    folders: list[str] = []
    token = ""
    while True:
        query = {"list-type": "2", "prefix": prefix}
        query |= {} if deep else {"delimiter": "/"}
        query |= {"continuation-token": token} if token else {}
        url = f"{base}/?{urlencode(query)}"
        root = _parsed(get(url, access).data, url)
        for entry in root.iter("Contents"):
            key = entry.findtext("Key") or ""
            size = entry.findtext("Size") or ""
            if key and not key.endswith("/") and size.isdigit():
                etag = (entry.findtext("ETag") or "").strip('"')
                objects.append(RemoteObject(f"{base}/{quote(key, safe='/=')}", key, int(size), etag))
        folders += [entry.findtext("Prefix") or "" for entry in root.iter("CommonPrefixes")]
        token = root.findtext("NextContinuationToken") or ""
        if not token:
            return sorted(objects, key=lambda o: o.key), sorted(folders)


def _parsed(data: bytes, url: str) -> ET.Element:
    """Parse a listing; declared entities are refused, and names lose their namespace."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise RemoteError(f"{url}: the listing holds a document type, which none has; is this a bucket?")
    try:
        root = ET.fromstring(data)  # noqa: S314  without a document type there are no entities to expand
    except ET.ParseError as error:
        raise RemoteError(
            f"{url}: the answer is no listing of a bucket ({error}); check the URL of the mirror"
        ) from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != "ListBucketResult":
        raise RemoteError(f"{url}: the answer is {root.tag}, no listing of a bucket; check the URL of the mirror")
    return root


def s3_root(spec: str, access: Access) -> tuple[str, str]:
    """
    Split ``s3://bucket/key`` into the URL of the bucket's root and the key.

    Examples
    --------
    >>> s3_root("s3://maps/a/b.parquet", Access())
    ('https://maps.s3.amazonaws.com', 'a/b.parquet')
    """
    bucket, _, key = spec.partition("://")[2].partition("/")
    base = f"{access.s3_url.rstrip('/')}/{bucket}" if access.s3_url else f"https://{bucket}.s3.amazonaws.com"
    return base, key
