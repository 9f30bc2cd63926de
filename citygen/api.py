"""One call in a notebook: footprints and a DEM in, a ``City`` out."""

import contextlib
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from citygen.arraytypes import Float64
from citygen.catalogue.entries import read_entries, read_terrain
from citygen.config import make_config
from citygen.engine.run import Progress, run
from citygen.errors import InputError, OutputError
from citygen.formats.glb import decode
from citygen.model.scene import Scene, TileEntry
from citygen.pipeline.folder import STATE, is_run, remove_outputs, remove_state, writing
from citygen.pipeline.picture import city_scene, terrain_mesh, to_crs

if TYPE_CHECKING:
    import geopandas as gpd
    import trimesh
    from PIL.Image import Image

    from citygen.ground.dem import Dem

PathLike = str | Path


def build(
    buildings: "gpd.GeoDataFrame | PathLike | Sequence[gpd.GeoDataFrame | PathLike]",
    *,
    dem: PathLike | Sequence[PathLike] | None = None,
    aoi: Any = None,
    out: PathLike | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> "City":
    """
    Build a city.

    Parameters
    ----------
    buildings : GeoDataFrame, path, or a sequence of them
        Footprints with their attributes.
    dem : path or sequence of paths, optional
        DEM rasters; without one give ``ground_z``.
    aoi : path, 'W,S,E,N', Shapely geometry (lon/lat) or GeoJSON mapping, optional
        Area of interest; everything without it.
    out : path, optional
        Output folder; without it the city lives in a temporary one until it is saved.
    progress : callable, optional
        ``progress(stage, done, total)``.
    **options
        Any other option of ``citygen build``, with underscores: ``grid="metric:250"``, ``map={"height": "HAUTEUR"}``.

    Returns
    -------
    City

    Raises
    ------
    ConfigError
        For options that are wrong.
    InputError
        For inputs that cannot be used.

    Examples
    --------
    >>> import geopandas, shapely
    >>> plot = geopandas.GeoDataFrame(
    ...     {"id": ["a"], "height": [9.0], "roof:shape": ["gabled"]},
    ...     geometry=[shapely.box(500000, 5150000, 500012, 5150008)], crs="EPSG:32631")
    >>> city = build(plot, ground_z=200)
    >>> city.buildings.loc["a", "ridge_z"]
    np.float64(209.0)
    >>> city.mesh("a").is_volume
    True
    """
    from citygen.sources.base import SourceOptions
    from citygen.sources.memory import from_geodataframe

    given = list(buildings) if isinstance(buildings, list | tuple) else [buildings]
    source = SourceOptions(crs=options.get("source_crs"), id_column=options.get("id_column"))
    frames = tuple(from_geodataframe(b, options=source) for b in given if not isinstance(b, str | Path))
    rasters = [] if dem is None else [dem] if isinstance(dem, str | Path) else list(dem)
    named = isinstance(aoi, str | Path)
    with contextlib.ExitStack() as stack:
        if out is None:
            folder = tempfile.mkdtemp(prefix="citygen-")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            out = Path(folder) / "city"
        config = make_config(
            {
                "buildings": [str(b) for b in given if isinstance(b, str | Path)],
                "dem": [str(path) for path in rasters],
                "aoi": str(aoi) if named else None,
                "out": str(out),
                **options,
            }
        )
        extra: dict[str, Any] = {} if progress is None else {"progress": progress}
        run(config, frames=frames, aoi_geometry=None if named else aoi, **extra)
        return City(Path(out), stack.pop_all())


def inspect(
    *sources: "gpd.GeoDataFrame | PathLike", aoi: Any = None, sample: int | None = None, **options: Any
) -> dict[str, Any]:
    """
    Say what footprints and DEMs hold, what is understood of them, and what a build would do; nothing is written.

    Parameters
    ----------
    *sources : GeoDataFrame or path
        Footprints, and rasters of heights.
    aoi : path, 'W,S,E,N', Shapely geometry (lon/lat) or GeoJSON mapping, optional
        Area of interest; everything without it.
    sample : int, optional
        Rows of each source that are read; all without it.
    **options
        Options of ``citygen inspect``, with underscores: ``map={"height": "HAUTEUR"}``, ``source_crs="EPSG:2154"``.

    Returns
    -------
    dict
        ``sources``, ``rasters``, ``errors`` (sources that cannot be used) and ``build``, as JSON can hold it; see
        ``docs/inspect.schema.json``.

    Raises
    ------
    ConfigError
        For options that are wrong.

    Examples
    --------
    >>> import geopandas, shapely
    >>> plot = geopandas.GeoDataFrame({"HAUTEUR": [9.0]}, geometry=[shapely.box(5e5, 5.15e6, 500012, 5150008)], crs="EPSG:32631")
    >>> [line["option"] for line in inspect(plot)["sources"][0]["suggestions"]]
    ['--map height=HAUTEUR']
    """
    from citygen.pipeline.survey.inspect import inspect_sources
    from citygen.sources.base import SourceOptions
    from citygen.sources.memory import from_geodataframe

    source = SourceOptions(crs=options.get("source_crs"), id_column=options.get("id_column"))
    frames = tuple(from_geodataframe(s, options=source) for s in sources if not isinstance(s, str | Path))
    named = isinstance(aoi, str | Path)
    paths = [str(s) for s in sources if isinstance(s, str | Path)]
    config = make_config({"buildings": paths, "aoi": str(aoi) if named else None, **options})
    return inspect_sources(config, frames=frames, aoi_geometry=None if named else aoi, sample=sample)


def open_city(out: PathLike) -> "City":
    """
    Open a finished output folder.

    Parameters
    ----------
    out : path
        The folder of an earlier build.

    Returns
    -------
    City

    Raises
    ------
    InputError
        When it is not such a folder.
    """
    folder = Path(out)
    if not (folder / "report.json").is_file():
        raise InputError(f"{folder}: no finished build lies here (no report.json)")
    return City(folder)


class City:
    """
    A built city, read from its output folder on demand.

    Parameters
    ----------
    out : pathlib.Path
        A finished output folder.
    cleanup : contextlib.ExitStack, optional
        What to do when the city is no longer used, or the program ends: a temporary folder is removed.
    """

    def __init__(self, out: Path, cleanup: contextlib.ExitStack | None = None) -> None:
        self.out = out
        if cleanup is not None:
            weakref.finalize(self, cleanup.close)

    def __repr__(self) -> str:
        counts = self.report["outcomes"]
        return f"City({self.report['footprints']} footprints: " + ", ".join(f"{n} {k}" for k, n in counts.items()) + ")"

    def _repr_png_(self) -> bytes:
        """Show the city in a notebook."""
        from io import BytesIO

        data = BytesIO()
        self.plot(size=(960, 600)).save(data, "PNG")
        return data.getvalue()

    @cached_property
    def report(self) -> dict[str, Any]:
        """What ``report.json`` holds."""
        import json

        loaded: dict[str, Any] = json.loads((self.out / "report.json").read_text(encoding="utf-8"))
        return loaded

    @cached_property
    def buildings(self) -> "gpd.GeoDataFrame":
        """One row an input footprint, indexed by id: outcome, reasons, heights, areas, volume, outline (working CRS)."""
        import geopandas as gpd

        return gpd.read_parquet(self.out / "buildings.parquet").set_index("id", drop=False)

    @cached_property
    def entries(self) -> dict[str, TileEntry]:
        """The tiles of the tileset by name, ``<column>_<row>``."""
        return read_entries(self.out)

    def mesh(self, feature_id: str) -> "trimesh.Trimesh":
        """
        Return one building.

        Parameters
        ----------
        feature_id : str
            An id of ``buildings``.

        Returns
        -------
        trimesh.Trimesh
            Closed, in the working CRS (x, y) and ellipsoidal height (z), metres; precise to 0.1 mm.

        Raises
        ------
        KeyError
            When no footprint has the id.
        ValueError
            When nothing was built of it; the message gives the reasons.
        """
        import trimesh

        row = self.buildings.loc[feature_id]
        if not isinstance(row["tile"], str):  # None, or NaN where pandas says so
            why = ", ".join(row["reasons"]) or "no reason"
            raise ValueError(f"{feature_id!r} was not built: {row['outcome']} ({why})")  # noqa: TRY004  the value is at fault
        entry = self.entries[row["tile"]]
        scene = self._tile(entry)
        feature = int(np.flatnonzero(scene.table["id"] == feature_id)[0])
        triangles = scene.triangles[scene.features[scene.triangles[:, 0]] == feature]
        corners, faces = np.unique(triangles, return_inverse=True)
        places, merged = np.unique(scene.positions[corners], axis=0, return_inverse=True)
        vertices: Float64 = to_crs(places, entry, self.report["crs"])
        index = merged.reshape(-1)[faces.reshape(-1, 3)]
        return trimesh.Trimesh(vertices, index, process=False, metadata={"id": feature_id, "crs": self.report["crs"]})

    def _tile(self, entry: TileEntry) -> Scene:
        """Read a tile's scene; the last one is kept."""
        kept: tuple[str, Scene] | None = self.__dict__.get("_last")
        if kept is None or kept[0] != entry.uri:
            kept = (entry.uri, decode((self.out / entry.uri).read_bytes()))
            self.__dict__["_last"] = kept
        return kept[1]

    def terrain(self) -> "trimesh.Trimesh":
        """
        Return the ground at its finest, with holes where buildings stand; skirts are left out.

        Returns
        -------
        trimesh.Trimesh
            In the working CRS (x, y) and ellipsoidal height (z), metres; tiles are joined where they meet.

        Raises
        ------
        ValueError
            When the city was built without terrain.
        """
        import trimesh

        leaves = read_terrain(self.out)
        if not leaves:
            raise ValueError(f"{self.out}: built without terrain; build with terrain=True")
        vertices, triangles = terrain_mesh(self.out, leaves, self.report["crs"])
        return trimesh.Trimesh(vertices, triangles, process=False, metadata={"crs": self.report["crs"]})

    def plot(self, *, size: tuple[int, int] = (1600, 1000)) -> "Image":
        """
        Draw the city, without a screen.

        Parameters
        ----------
        size : (width, height)
            Pixels.

        Returns
        -------
        PIL.Image.Image
            An oblique shaded view; notebooks show it by themselves.
        """
        from PIL import Image

        from citygen.preview.scene import render

        terrain = read_terrain(self.out)
        scene = city_scene(self.out, list(self.entries.values()), self.report["crs"], self._dem(), terrain)
        return Image.fromarray(render(scene, size=size))

    def _dem(self) -> "Dem | None":
        """Open the DEM that the city stands on, as far as its files are still there."""
        from citygen.ground.dem import open_dem

        options = self.report["options"]
        present = [path for path in self.report.get("dem", options["dem"]) if Path(path).is_file()]
        said = {"crs": options["dem_crs"], "unit": options.get("dem_unit")}
        return open_dem(present, **said) if present else None

    def explain(self, feature_id: str) -> dict[str, Any]:
        """
        Say why one footprint is as it is: its row, the raw tags, each decision with its rule, in order.

        Parameters
        ----------
        feature_id : str
            An id of ``buildings``; of rejected rows and renamed ones too.

        Returns
        -------
        dict
            As JSON can hold it; see ``citygen.pipeline.explain.explain.explain_row``.

        Raises
        ------
        InputError
            When no footprint has the id; similar ones are named.
        """
        from citygen.pipeline.explain.explain import explain_row

        return explain_row(self.out, feature_id)

    def portrait(self, feature_id: str, *, size: tuple[int, int] = (960, 640)) -> "Image | None":
        """
        Draw one building in colour among its neighbours in grey; an outline that its parts stand for shows those.

        Parameters
        ----------
        feature_id : str
            An id of ``buildings``.
        size : (width, height)
            Pixels.

        Returns
        -------
        PIL.Image.Image or None
            None where nothing was built of it.
        """
        from PIL import Image

        from citygen.pipeline.explain.explain import related
        from citygen.pipeline.explain.portrait import portrait

        shown = [feature_id, *related(self.out, "part_of", feature_id)]
        place = (self.report["crs"], self._dem(), sum(self.report["vertical"]["added_m"]) / 2)
        drawn = portrait(self.out, self.entries, shown, place, size=size)
        return None if drawn is None else Image.fromarray(drawn)

    def save(self, out: PathLike, *, overwrite: bool = False) -> Path:
        """
        Copy the output folder.

        Parameters
        ----------
        out : path
            A folder that does not exist yet, or an empty one.
        overwrite : bool
            Replace an earlier build there; files that are not of a build stay.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        OutputError
            When the folder holds something else, or an earlier build and ``overwrite`` is off.
        """
        target = Path(out)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            if not overwrite or not is_run(target):
                raise OutputError(
                    f"{target}: is not empty; choose another folder, or overwrite=True for an earlier build"
                )
            if target.resolve() == self.out.resolve():
                return target
            remove_state(target, fresh=False)
            remove_outputs(target)
        with writing(target):
            shutil.copytree(self.out, target, ignore=shutil.ignore_patterns(STATE), dirs_exist_ok=True)
        return target
