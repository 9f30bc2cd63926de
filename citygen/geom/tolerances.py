"""Every tolerance of the geometry, with its unit and its reason. Absolute and per building, never relative to a tile."""

MIN_EDGE_M = 1e-3
"""m. Vertices closer than this are one vertex: a millimetre is below every survey and above every rounding."""

COLLINEAR_M = 1e-3
"""m. A vertex this near the chord of its neighbours is dropped (T-points of party walls, densified outlines)."""

PINCH_M = 1e-4
"""m. Rings of one polygon nearer to each other than this touch: they are opened, or four walls would share an edge."""

OPEN_M = 1e-3
"""m. By how much a touching outline is drawn in (mitred) to open it: the least that a float32 tile can show."""

ON_LINE_M = 1e-4
"""m. A vertex this near a break line of a roof lies on it; the roof stays planar to the slope times this."""

STEP_SHIFT_M = 4e-3
"""m. How far the line of a vertical riser (sawtooth) is moved at most so that no vertex lies on it; one no further beyond a
wall is within."""

LINE_SNAP_M = 0.4
"""m. Roof lines drawn by hand meet an outline or each other within this: twice what aerial images let mappers see."""

LINE_REACH_M = 5.0
"""m. A roof edge that ends in the open is prolonged by at most this: about half a house."""

PERTURB_M = 3e-4
"""m. First shift of break lines when a cut fails; doubled with each try (DESIGN, promise 2: sub-millimetre first)."""

PLANAR_M = 1e-3
"""m. Largest distance of a face's vertex from the face's plane (DESIGN, promise 2)."""

MIN_FACE_M2 = 1e-9
"""m2. A face of less area has no normal in float32."""

MIN_WALL_M = 0.01
"""m. Least wall below a roof, so that floor and eave never share an edge (roof-only parts: spires, canopies)."""

SPIKE_WIDTH_M = 0.02
"""m. A thinner antenna or cut is residue: both sides of a line drawn out and back, rounded to 7 decimals of a degree (1 cm)."""

SPIKE_SLOPE = 0.25
"""Ratio. An antenna is four times as long as it is wide at least; what is shorter is a corner, however small."""

MIN_AREA_M2 = 0.01
"""m2. Smaller footprints are digitising residue: rejected."""

MIN_WIDTH_M = 0.004
"""m. Twice the area over the perimeter: narrower footprints are slivers: rejected."""

MOST_AREA_CHANGE = 0.5
"""Share. A repair that would change the area by more does not know what was meant: rejected."""

MAX_AREA_M2 = 25e6
"""m2. Larger footprints are not buildings (the largest roofs on Earth are below 2 km2): rejected."""

TILING_AREA_REL = 1e-9
"""Relative. Roof faces, projected, tile the outline to this share of its area."""

MEET_M = (1e-6, 1e-4, 1e-8, 1e-5, 1e-3)
"""m. Within which wavefront vertices meet; the first that gives faces that tile the outline is taken."""
TOUCH_M = 1e-6
"""m. What lies a margin away, less this, keeps the margin: a row of dormers may just fit between eave and ridge."""

TIE_REL = 1e-9
"""Relative. Lengths that differ by less are equal: two halves of one roof are, whatever their rounding."""

SOFFIT_GRIDS_M = (2.0**-12, 2.0**-16, 2.0**-20)
"""m. Grids on which the lines below an overhang meet: a quarter of a millimetre, so that no face is thinner; finer on a
second and third try. Powers of two: exact in floating point."""

PLAN_GRID_M = 2.0**-32
"""m. Plan coordinates of terrain lie on this grid (a quarter of a nanometre), so that their differences are exact."""

SLIT_M = 2e-3
"""m. Ground enclosed by walls of one union that is narrower than this is rounding between parts of a building."""
