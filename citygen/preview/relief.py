"""Ground triangles in, muted natural tones out: sage where it is flat, warm grey where it is steep."""

import numpy as np

from citygen.arraytypes import Float64, Int64, UInt8
from citygen.preview.style import to_linear, to_srgb

MEADOW = np.array([196, 198, 176], np.uint8)
HEIGHT = np.array([210, 204, 184], np.uint8)
ROCK = np.array([184, 176, 164], np.uint8)
STEEP_TANGENT = 0.7  # a slope of 35 degrees is all rock


def relief_colours(ground_vertices: Float64, ground_triangles: Int64) -> UInt8:
    """
    Give each ground triangle a tone by its slope and its height within the ground.

    Parameters
    ----------
    ground_vertices : (n, 3) float64
        Metres, z up.
    ground_triangles : (m, 3) int64
        Any orientation.

    Returns
    -------
    (m, 3) uint8
        sRGB. Triangles without area in plan count as steep; empty gives empty.

    Examples
    --------
    >>> import numpy as np
    >>> relief_colours(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])).tolist()
    [[196, 198, 176]]
    """
    if not len(ground_triangles):
        return np.zeros((0, 3), np.uint8)
    corner = ground_vertices[ground_triangles]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    flat, upright = np.hypot(normal[:, 0], normal[:, 1]), np.abs(normal[:, 2])
    slope = np.where(upright > 0.0, flat / np.where(upright > 0.0, upright, 1.0), np.inf)
    z = corner[:, :, 2].mean(axis=1)
    low, high = np.percentile(z, (1.0, 99.0))
    # 60 m of relief show the full range: a flat town stays of one tone
    raised = np.clip((z - low) / max(float(high - low), 60.0), 0.0, 1.0)[:, None]
    bare = np.clip(slope / STEEP_TANGENT, 0.0, 1.0)[:, None] ** 1.5
    tone = to_linear(MEADOW) * (1.0 - raised) + to_linear(HEIGHT) * raised
    return to_srgb(tone * (1.0 - bare) + to_linear(ROCK) * bare)
