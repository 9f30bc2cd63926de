"""Hits and their light in, colours between 0 and 1 (linear, display-referred) out; one place for both renderers."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import AnyArray, Float64, Int64
from citygen.preview.camera import View
from citygen.preview.style import Style
from citygen.preview.surfaces import Surfaces
from citygen.preview.vignette import Vignette, vignette

MAGENTA = np.array([1.0, 0.0, 1.0])
CONTOURS_WANTED = 24  # lines over the town's relief, at most
CONTOUR_STEPS_M = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
FADE_FROM, FADE_TO = 0.02, 0.20  # of the town's diagonal: where the ground begins and ends to turn into paper
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that is the same for all pixels of a picture."""

    surfaces: Surfaces
    view: View
    style: Style
    sun: Float64
    """(3,) unit vector towards the sun."""
    contour_m: float
    """Height between contour lines; 0 draws none."""
    surroundings: Vignette
    """How far outside the town a point lies."""


@dataclass(frozen=True, slots=True)
class Hits:
    """
    Points that are seen, one a ray; all arrays have n rows.

    Attributes
    ----------
    triangle : (n,) int64
        Index into the surfaces.
    point, facing, normal : (n, 3) float64
        Where it is, the triangle's normal on the seen side, and the (smooth) normal for shading on that side.
    distance : (n,) float64
        Metres from the camera.
    behind : (n,) bool
        The triangle is a building's and seen from its back.
    """

    triangle: Int64
    point: Float64
    facing: Float64
    normal: Float64
    distance: Float64
    behind: AnyArray


def set_stage(surfaces: Surfaces, view: View, style: Style) -> Stage:
    """Fix the sun and the contour interval of a picture."""
    relief = surfaces.vertices[surfaces.triangles[surfaces.ground_from :].ravel(), 2]
    span = float(np.subtract(*np.percentile(relief, (99.0, 1.0)))) if len(relief) else 0.0
    step = next((s for s in CONTOUR_STEPS_M if span / s <= CONTOURS_WANTED), CONTOUR_STEPS_M[-1])
    contour = step if style.contours > 0.0 and span > 2.0 * step else 0.0
    around = vignette(surfaces.town, surfaces.town_box)
    return Stage(surfaces, view, style, style.sun_direction(view.azimuth_deg), contour, around)


def locate(stage: Stage, triangle: Int64, rays: Float64) -> Hits:
    """Intersect unit rays from the camera with the planes of the triangles that they hit."""
    surfaces, origin = stage.surfaces, stage.view.origin
    plane = surfaces.normals[triangle]
    slant = np.einsum("ij,ij->i", rays, plane)
    height = np.einsum("ij,ij->i", surfaces.vertices[surfaces.triangles[triangle, 0]] - origin, plane)
    slant_safe = np.where(np.abs(slant) > 1e-7, slant, np.where(slant < 0.0, -1e-7, 1e-7))
    distance = np.maximum(height / slant_safe, 0.0)
    point = origin + distance[:, None] * rays
    side = np.where(slant > 0.0, -1.0, 1.0)[:, None]
    building = triangle < surfaces.ground_from
    return Hits(
        triangle=triangle,
        point=point,
        facing=plane * side,
        normal=surfaces.normals_at(triangle, point) * side,
        distance=distance,
        behind=building & (slant > 0.0),
    )


def open_ambient(normal: Float64) -> Float64:
    """Return (n, 2) float64: share of open sky and of open ground around points that nothing closes in."""
    upward = 0.5 + 0.5 * normal[:, 2]
    return np.stack([upward, 1.0 - upward], axis=1)


def backdrop(stage: Stage, y: AnyArray) -> Float64:
    """Return (n, 3) float64: the colour behind everything at pixel rows (n,)."""
    down = (np.asarray(y, np.float64) / stage.view.size[1])[:, None]
    return np.array(stage.style.backdrop_top) * (1.0 - down) + np.array(stage.style.backdrop_bottom) * down


def shade(stage: Stage, hits: Hits, sunlit: AnyArray, ambient: AnyArray, y: AnyArray) -> Float64:
    """
    Colour the hits.

    Parameters
    ----------
    stage : Stage
        The picture.
    hits : Hits
        What is seen, n rows.
    sunlit : (n,) float
        Share of the sun's disc that is seen from each point.
    ambient : (n, 2) float
        Share of open sky and of open ground, see `open_ambient`; the rest is closed.
    y : (n,) float
        Pixel rows, for the backdrop that haze and the ground's margin fade into.

    Returns
    -------
    (n, 3) float64
        Between 0 and 1, linear.
    """
    style = stage.style
    albedo = stage.surfaces.albedo_at(hits.triangle, hits.point) * _contoured(stage, hits)[:, None]
    light = _light(stage, hits, sunlit, ambient)
    colour = _toned(albedo * light, style.exposure)
    behind = backdrop(stage, y)
    ground = np.flatnonzero(hits.triangle >= stage.surfaces.ground_from)
    fade = _margin(stage, hits.point[ground, :2])
    ground, fade = ground[fade > 0.0], fade[fade > 0.0, None]
    free = Hits(*(getattr(hits, name)[ground] for name in Hits.__slots__))
    full = _light(stage, free, np.ones(len(ground)), open_ambient(free.normal))
    # outside the town the ground turns into paper, which still takes the shadows
    kept = np.clip((light[ground] @ LUMINANCE) / np.maximum(full @ LUMINANCE, 1e-6), 0.0, 1.0)[:, None]
    paper = behind[ground] * (1.0 - 0.75 * (1.0 - kept))
    colour[ground] = colour[ground] * (1.0 - fade) + paper * fade
    depth = np.clip((hits.distance - stage.view.near_m) / max(stage.view.far_m - stage.view.near_m, 1e-6), 0.0, 1.5)
    haze = (style.haze * depth**1.5)[:, None]
    colour = colour * (1.0 - haze) + behind * haze
    if style.show_backfaces:
        colour[hits.behind] = MAGENTA
    return np.clip(colour, 0.0, 1.0)


def _light(stage: Stage, hits: Hits, sunlit: AnyArray, ambient: AnyArray) -> Float64:
    """Return (n, 3) float64: the light that reaches each point."""
    style = stage.style
    direct = np.maximum(hits.normal @ stage.sun, 0.0) * sunlit
    closed = np.maximum(1.0 - ambient[:, 0] - ambient[:, 1], 0.0)
    light: Float64 = (
        direct[:, None] * np.array(style.sun)
        + ambient[:, :1] * np.array(style.sky)
        + ambient[:, 1:] * np.array(style.bounce)
        + closed[:, None] * np.array(style.dim)
    )
    return light


def _toned(radiance: Float64, exposure: float) -> Float64:
    """Compress radiance to 0..1: straight in the shadows, rolling off softly in the lights."""
    toned: Float64 = 1.0 - np.exp(-exposure * radiance)
    return toned


def _margin(stage: Stage, xy: Float64) -> Float64:
    """Return (n,) float64: 0 where the town is, rising to 1 outside it and towards the ground's own edge."""
    box, edge = stage.surfaces.town_box, stage.surfaces.ground_box
    width = max(float(np.hypot(box[2] - box[0], box[3] - box[1])), 20.0)
    inside = np.minimum(xy - edge[:2], edge[2:] - xy).min(axis=1)
    fade = np.maximum((stage.surroundings.at(xy) - FADE_FROM) / (FADE_TO - FADE_FROM), 1.0 - inside / (0.04 * width))
    fade = np.clip(fade, 0.0, 1.0)
    smooth: Float64 = fade * fade * (3.0 - 2.0 * fade)
    return smooth


def _contoured(stage: Stage, hits: Hits) -> Float64:
    """Return (n,) float64 factors that draw thin contour lines on the ground."""
    factor = np.ones(len(hits.triangle))
    ground = np.flatnonzero(hits.triangle >= stage.surfaces.ground_from)
    if stage.contour_m <= 0.0 or not len(ground):
        return factor
    z = (hits.point[ground, 2] + stage.surfaces.centre[2]) / stage.contour_m
    steep = np.hypot(hits.normal[ground, 0], hits.normal[ground, 1]) / np.maximum(np.abs(hits.normal[ground, 2]), 0.05)
    # a pixel's size in height along the slope; where it is flat a line would spread, so it thins out
    pixel = stage.view.pixel_m * np.maximum(steep, 0.01) / stage.contour_m
    apart = np.abs(z - np.round(z)) / pixel
    factor[ground] -= stage.style.contours * np.clip(1.5 - apart, 0.0, 1.0) * np.clip(steep / 0.03, 0.0, 1.0)
    return factor
