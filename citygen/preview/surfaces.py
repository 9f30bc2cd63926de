"""A scene in, one list of triangles ready for tracing and shading out: buildings first, then the ground."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float32, Float64, Int32, Int64
from citygen.preview.camera import townlike
from citygen.preview.parts import PictureScene
from citygen.preview.relief import relief_colours
from citygen.preview.rowkeys import row_keys
from citygen.preview.style import to_linear

GROUND = -1
"""Surface number of every ground triangle."""
NOTHING = -2
"""Surface number of a pixel in which nothing is seen."""
PLANE_CELLS = 24  # squares along a side of the plane that stands in for a missing ground
PAPER = np.array([204, 201, 188], np.uint8)


@dataclass(frozen=True, slots=True)
class Surfaces:
    """
    All triangles of a picture, around `centre`.

    Attributes
    ----------
    vertices : (n, 3) float64
        Metres, relative to `centre`.
    triangles : (m, 3) int64
        Building triangles, then ground triangles, each with some area.
    normals : (m, 3) float64
        Unit normals; those of the ground point up.
    albedo : (m, 3) float32
        Linear reflectance of each triangle.
    surface : (m,) int32
        Number of the plane that a building triangle lies in; `GROUND` for the ground.
    ground_from : int
        Index of the first ground triangle.
    vertex_normals, vertex_albedo : (n, 3) float32
        Smooth values over the ground's vertices; zero at building vertices.
    centre : (3,) float64
        What was subtracted from the scene's coordinates.
    town : (k, 3) float64
        The building vertices to be framed, relative to `centre`.
    town_box, ground_box : (4,) float64
        Min x, min y, max x, max y, relative to `centre`, of the framed buildings and of the ground.
    """

    vertices: Float64
    triangles: Int64
    normals: Float64
    albedo: Float32
    surface: Int32
    ground_from: int
    vertex_normals: Float32
    vertex_albedo: Float32
    centre: Float64
    town: Float64
    town_box: Float64
    ground_box: Float64

    def to_local(self, point: tuple[float, float, float]) -> Float64:
        """Return (3,) float64: a point of the scene, relative to `centre`."""
        return np.asarray(point, np.float64) - self.centre

    def normals_at(self, triangle: Int64, points: Float64) -> Float64:
        """Return (n, 3) float64 unit normals at hit points: smooth on the ground, of the triangle elsewhere."""
        normals = self.normals[triangle].copy()
        on_ground = np.flatnonzero(triangle >= self.ground_from)
        smooth = self._mixed(self.vertex_normals, triangle[on_ground], points[on_ground])
        normals[on_ground] = smooth / np.maximum(np.linalg.norm(smooth, axis=1), 1e-9)[:, None]
        return normals

    def albedo_at(self, triangle: Int64, points: Float64) -> Float32:
        """Return (n, 3) float32 reflectance at hit points: smooth on the ground, of the triangle elsewhere."""
        albedo = self.albedo[triangle].copy()
        on_ground = np.flatnonzero(triangle >= self.ground_from)
        albedo[on_ground] = self._mixed(self.vertex_albedo, triangle[on_ground], points[on_ground])
        return albedo

    def _mixed(self, values: Float32, triangle: Int64, points: Float64) -> Float64:
        """Mix vertex values at points by their barycentric coordinates in plan."""
        index = self.triangles[triangle]
        a, b, c = (self.vertices[index[:, k], :2] for k in range(3))
        p = points[:, :2] - a
        u, v = b - a, c - a
        area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        safe = np.where(np.abs(area) > 1e-9, area, np.inf)
        second = np.clip((p[:, 0] * v[:, 1] - p[:, 1] * v[:, 0]) / safe, 0.0, 1.0)
        third = np.clip((u[:, 0] * p[:, 1] - u[:, 1] * p[:, 0]) / safe, 0.0, 1.0 - second)
        first = 1.0 - second - third
        mixed: Float64 = (
            values[index[:, 0]] * first[:, None]
            + values[index[:, 1]] * second[:, None]
            + values[index[:, 2]] * third[:, None]
        )
        return mixed


def gather(scene: PictureScene) -> Surfaces:
    """
    Join the buildings and the ground of a scene, with what shading needs of each triangle.

    Parameters
    ----------
    scene : PictureScene
        Any part may be empty; without ground a plane at the lowest vertex takes its place.

    Returns
    -------
    Surfaces
        Triangles without area left out.
    """
    used = np.unique(scene.triangles) if len(scene.triangles) else scene.triangles.ravel()
    town = townlike(scene.vertices[used])
    framed = town if len(town) else scene.ground_vertices
    low, high = (framed.min(axis=0), framed.max(axis=0)) if len(framed) else (np.full(3, -50.0), np.full(3, 50.0))
    centre = np.array([0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1]), low[2]])
    ground_vertices, ground_triangles = scene.ground_vertices - centre, scene.ground_triangles
    tone = relief_colours(ground_vertices, ground_triangles)
    if not len(ground_triangles):
        reach = 3.0 * max(float(np.hypot(*(high - low)[:2])), 20.0)
        # the lowest vertex of the town, not of an outlier far below it
        ground_vertices, ground_triangles = _plane(reach, -0.01 if len(town) else 0.0)
        tone = np.broadcast_to(PAPER, ground_triangles.shape)
    vertices = np.concatenate([scene.vertices - centre, ground_vertices])
    triangles = np.concatenate([scene.triangles, ground_triangles + len(scene.vertices)]).astype(np.int64, copy=False)
    albedo = to_linear(np.concatenate([scene.colours, tone]))
    normals = np.cross(
        vertices[triangles[:, 1]] - vertices[triangles[:, 0]], vertices[triangles[:, 2]] - vertices[triangles[:, 0]]
    )
    double_area = np.linalg.norm(normals, axis=1)
    real = double_area > 1e-9
    ground_from = int(np.count_nonzero(real[: len(scene.triangles)]))
    triangles, normals, albedo = triangles[real], normals[real], albedo[real]
    normals[ground_from:][normals[ground_from:, 2] < 0.0] *= -1.0
    smooth, mean = _over_vertices(len(vertices), triangles[ground_from:], normals[ground_from:], albedo[ground_from:])
    normals /= double_area[real][:, None]
    return Surfaces(
        vertices=vertices,
        triangles=triangles,
        normals=normals,
        albedo=albedo,
        surface=_planes(vertices[triangles[:, 0]], normals, ground_from),
        ground_from=ground_from,
        vertex_normals=smooth,
        vertex_albedo=mean,
        centre=centre,
        town=framed - centre,
        town_box=np.concatenate([low[:2], high[:2]]) - np.tile(centre[:2], 2),
        ground_box=np.concatenate([ground_vertices[:, :2].min(axis=0), ground_vertices[:, :2].max(axis=0)]),
    )


def _plane(reach: float, z: float) -> tuple[Float64, Int64]:
    """Return the vertices and triangles of a flat square of squares, `reach` metres to each side."""
    line = np.linspace(-reach, reach, PLANE_CELLS + 1)
    y, x = np.meshgrid(line, line, indexing="ij")
    vertices = np.stack([x.ravel(), y.ravel(), np.full(x.size, z)], axis=1)
    at = np.arange(x.size).reshape(x.shape)
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, 1:].ravel(), at[1:, :-1].ravel()
    return vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def _over_vertices(count: int, triangles: Int64, weighted: Float64, albedo: Float32) -> tuple[Float32, Float32]:
    """Average normals (weighted by area) and reflectances of the triangles around each vertex."""
    corner = triangles.ravel()
    share = np.maximum(np.bincount(corner, minlength=count), 1)
    normals = np.stack([np.bincount(corner, np.repeat(weighted[:, k], 3), count) for k in range(3)], axis=1)
    mean = np.stack([np.bincount(corner, np.repeat(albedo[:, k], 3), count) for k in range(3)], axis=1) / share[:, None]
    length = np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]
    return (normals / length).astype(np.float32), mean.astype(np.float32)


def _planes(point: Float64, normals: Float64, ground_from: int) -> Int32:
    """Give each building triangle the number of its plane (alike within a degree and 5 cm), the ground GROUND."""
    offset = np.einsum("ij,ij->i", point[:ground_from], normals[:ground_from])
    key = np.column_stack([np.round(normals[:ground_from] * 50.0), np.round(offset * 20.0)]).astype(np.int64)
    number = np.full(len(normals), GROUND, np.int32)
    if ground_from:
        number[:ground_from] = np.unique(row_keys(key), return_inverse=True)[1].astype(np.int32)
    return number
