"""The self-test of an installation and of every run: that it sees what lands wrong."""

import numpy as np
import pyproj
import pytest
from click.testing import CliRunner

from citygen.cli import app
from citygen.ground.vertical import Vertical
from citygen.pipeline import placement as module
from citygen.pipeline.placement import CONTROL, placement, self_test
from citygen.tiling.metric import MetricGrid

HERE = np.array([[4.9, 52.37], [4.91, 52.38]])


def test_all_control_points_land():
    found = self_test()
    assert len(found) == len(CONTROL) + 1
    assert max(error for _, _, error in found) < 2e-4
    result = CliRunner().invoke(app, ["selftest"], standalone_mode=False)
    assert result.return_value == 0
    assert result.output.count(" ok") == len(found)


def test_wrong_axes_and_a_wrong_ellipsoid_are_seen(monkeypatch):
    right = module.to_ecef
    monkeypatch.setattr(module, "to_ecef", lambda lonlat, height: right(lonlat, height + 0.02))
    assert min(error for _, _, error in self_test()) > 0.015
    result = CliRunner().invoke(app, ["selftest"], standalone_mode=False)
    assert result.return_value == 1
    assert "WRONG" in result.output


def test_working_crs_of_another_datum_is_said(caplog):
    """A working CRS whose way to WGS 84 is another than the footprints' moves them; the run says how far."""
    good = placement(["EPSG:28992"], "EPSG:32631", MetricGrid(500, "EPSG:32631"), Vertical(), HERE)
    assert good.places == 2
    assert good.error_m < 0.001
    crs = pyproj.CRS("+proj=utm +zone=31 +ellps=WGS84 +towgs84=1,0,0 +units=m +type=crs").to_wkt()
    moved = placement(["EPSG:28992"], crs, MetricGrid(500, crs), Vertical(), HERE)
    direct = pyproj.Transformer.from_crs("EPSG:28992", crs, always_xy=True)
    assert direct.transform(120_000, 487_000)[0] > 0
    assert (moved.error_m > 0.01) == ("another transformation" in caplog.text)


def test_places_without_an_answer_are_passed_over():
    found = placement(["EPSG:28992"], "EPSG:32631", MetricGrid(500, "EPSG:32631"), Vertical(), np.empty((0, 2)))
    assert found.places == 0


@pytest.mark.parametrize("crs", ["EPSG:7415", "urn:ogc:def:crs,crs:EPSG::28992,crs:EPSG::5709"])
def test_compound_crs_of_a_source_is_its_plan(crs):
    found = placement([crs], "EPSG:32631", MetricGrid(500, "EPSG:32631"), Vertical(), HERE)
    assert found.error_m < 0.001
