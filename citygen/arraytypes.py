"""Aliases for the arrays that pass between rooms: a name for each dtype, the shape is said in each docstring."""

from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
UInt8 = npt.NDArray[np.uint8]
UInt32 = npt.NDArray[np.uint32]
Bool = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]
"""One Python value a row: strings, Shapely geometries or None."""
AnyArray = npt.NDArray[Any]
