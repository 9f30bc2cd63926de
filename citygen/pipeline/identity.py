"""Opened inputs to what a run's stamp and report say of them: their files, digests, and what the result depends on."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from citygen.config import BuildConfig
from citygen.ground.dem import Dem
from citygen.sources.base import SourceInfo

if TYPE_CHECKING:
    from citygen.pipeline.inputs import PlannedSource


def input_files(config: BuildConfig, sources: Sequence["PlannedSource"], rasters: list[str]) -> list[str]:
    """List the files that the result depends on."""
    names = {*rasters, config.grid.rpartition(":")[0], config.geoid or "", config.drape or ""}
    for each in sources:
        names.update(_files_of(each.source.info))
    return sorted(name for name in names if name and Path(name).is_file())


def _files_of(info: SourceInfo) -> list[str]:
    """Return a source's files: several where it is a folder of them, or a shapefile."""
    return list(info.files) or [info.path]


def identity_of(
    config: BuildConfig,
    sources: Sequence["PlannedSource"],
    ground: tuple[Dem | None, list[str]],
    digests: dict[str, str],
) -> dict[str, Any]:
    """Say what of the inputs the result depends on: their order, names of sources, contents; sidecars of a DEM by effect."""
    listed = []
    for each in sources:
        info = each.source.info
        files = [digests.get(name, "") for name in _files_of(info)]
        content = files if any(files) else [_memory_digest(each)]
        listed.append([each.label, each.dialect, info.crs, content])
    dem, paths = ground
    rasters = [] if dem is None else [repr(dataclasses.replace(raster, path="")) for raster in dem.rasters]
    return {
        "sources": listed,
        "dem": [[digests.get(path, "") for path in paths], rasters],
        "grid": digests.get(config.grid.rpartition(":")[0], ""),
        "geoid": digests.get(config.geoid or "", ""),
        "drape": digests.get(config.drape or "", config.drape),
    }


def _memory_digest(planned: "PlannedSource") -> str:
    """Return the SHA-256 of the rows of a source that is no file: a table in memory, a database."""
    digest = hashlib.sha256(json.dumps(planned.columns).encode())
    for batch in planned.source.batches(None):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_table(batch.combine_chunks())
        digest.update(memoryview(sink.getvalue()))
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
