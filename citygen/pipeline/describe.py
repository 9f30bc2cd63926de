"""Plan and solids of a tile to the numbers and words of its catalogue rows."""

import numpy as np

from citygen.arraytypes import Float64
from citygen.buildings.repair import Footprints
from citygen.catalogue.records import Built
from citygen.model.attributes import Attributes
from citygen.model.meshes import ROOF, WALL
from citygen.pipeline.features import Features
from citygen.pipeline.footing import Footing
from citygen.pipeline.shaping import Shaped
from citygen.roofs.plan import RoofPlan
from citygen.solids.certify import surface_areas, volumes


def describe(
    footprints: Footprints, attributes: Attributes, plan: RoofPlan, made: tuple[Shaped, Features], ground: Footing
) -> Built:
    """
    Measure what was built.

    Parameters
    ----------
    footprints : Footprints
        n rows.
    attributes : Attributes
        Of the same rows.
    plan : RoofPlan
        Of the same rows.
    made : Shaped, Features
        The solids, and what stands on their roofs; rows without a solid are not present in the result.
    ground : Footing
        Of the same rows.

    Returns
    -------
    Built
        Heights in the DEM's vertical datum; volume and areas summed over a row's solids.
    """
    n = len(ground.datum)
    shaped, features = made
    meshes = shaped.meshes
    row = meshes.solid_row
    areas = surface_areas(meshes)

    def total(values: Float64) -> Float64:
        return np.bincount(row, weights=values, minlength=n).astype(np.float64)

    names = np.array([s.name for s in plan.shapes], dtype=object)
    numbers = {
        "ground_z": ground.datum,
        "base_z": plan.base_z,
        "eave_z": np.where(shaped.flattened, plan.top_z, plan.eave_z),
        "ridge_z": plan.top_z,
        "height_m": plan.top_z - ground.datum,
        "dormers": features.dormers.astype(np.float64),
        "chimneys": features.chimneys.astype(np.float64),
        "roof_area_m2": total(areas[ROOF]),
        "wall_area_m2": total(areas[WALL]),
        "footprint_area_m2": footprints.area_m2,
        "volume_m3": total(volumes(meshes)),
        "height_sigma_m": attributes.height_sigma_m,
        "area_change": footprints.area_change,
        "ground_min": ground.low,
        "ground_max": ground.high,
        "ground_slope_deg": ground.slope_deg,
    }
    words = {
        "height_from": attributes.height_from,
        "roof_asked": attributes.roof_shape,
        "roof_shape": shaped.shape_name,
        "roof_from": np.where(shaped.shape_name == names[plan.shape], plan.roof_from, "default"),
    }
    return Built(np.bincount(row, minlength=n) > 0, numbers, words)
