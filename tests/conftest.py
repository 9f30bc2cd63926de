"""Fixtures for all tests: the folder of real and nasty data, and what the machine runs, printed in the header."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def testdata() -> Path:
    """Return the folder with ``realdata/`` and ``hardcases/``; skip where CITYGEN_TESTDATA is unset (a failure in CI)."""
    folder = os.environ.get("CITYGEN_TESTDATA", "")
    if not folder:
        reason = "CITYGEN_TESTDATA is unset: it names the folder that holds realdata/ and hardcases/"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return Path(folder)


@pytest.fixture(scope="session")
def sample_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output folder of the bundled sample, built once; read it only."""
    from builds import sample

    out = tmp_path_factory.mktemp("sample") / "out"
    sample(out)
    return out


@pytest.fixture
def listener() -> Iterator[tuple[str, list[int]]]:
    """Listen on the loopback and count who comes."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    server.settimeout(0.05)
    seen: list[int] = []
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                server.accept()[0].close()
                seen.append(1)
            except TimeoutError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"127.0.0.1:{server.getsockname()[1]}", seen
    stop.set()
    thread.join()
    server.close()


def pytest_report_header() -> list[str]:
    """Name the versions that a geometry test depends on."""
    import pyogrio
    import pyproj
    import rasterio
    import shapely

    return [
        f"shapely {shapely.__version__} (GEOS {shapely.geos_version_string})",
        f"pyproj {pyproj.__version__} (PROJ {pyproj.proj_version_str})",
        f"rasterio {rasterio.__version__} (GDAL {rasterio.__gdal_version__}), pyogrio {pyogrio.__version__} "
        f"(GDAL {pyogrio.__gdal_version_string__}), CITYGEN_TESTDATA={os.environ.get('CITYGEN_TESTDATA', '(unset)')}",
    ]
