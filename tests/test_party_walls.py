"""Party walls: shared area exact and the same from both sides, whatever the tiles; dropped walls leave the outside as it was."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from builds import build, rows, same_rows, triangles
from build_solids import *  # noqa: F403
