"""Fixtures for all tests: the folder of real and nasty data, and what the machine runs, printed in the header."""

import os
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
