"""Options from four places to one checked set: who wins, what is refused, and how paths and boxes in a file are read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citygen.config import BuildConfig, make_config, read_config
from citygen.errors import ConfigError, InputError


def _file(folder: Path, text: str) -> Path:
    path = folder / "citygen.toml"
    path.write_text(text)
    return path


def test_who_wins(tmp_path: Path) -> None:
    file = _file(tmp_path, "[build]\nstorey_height = 2.5\nworkers = 3\nground_z = 1\n")
    environment = {"CITYGEN_WORKERS": "4", "CITYGEN_GROUND_Z": "2", "CITYGEN_GRID": ""}
    config = make_config({"ground_z": 3.0, "grid": None}, file=file, environment=environment)
    assert (config.storey_height, config.workers, config.ground_z, config.grid) == (2.5, 4, 3.0, "metric:500")


def test_every_option_can_stand_in_a_file_and_the_environment(tmp_path: Path) -> None:
    assert set(BuildConfig.model_fields) >= {
        "aoi",
        "buildings",
        "dem",
        "out",
        "crs",
        "grid",
        "format",
        "workers",
        "map",
    }
    for name, field in BuildConfig.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_paths_are_beside_the_file_and_boxes_are_not_paths(tmp_path: Path) -> None:
    file = _file(
        tmp_path, '[build]\nbuildings = "a.gpkg"\ndem = ["b.tif", "/abs/c.tif"]\naoi = "area.geojson"\nout = "o"\n'
    )
    values = read_config(file)
    assert values["buildings"] == [str(tmp_path / "a.gpkg")]
    assert values["dem"] == [str(tmp_path / "b.tif"), str(Path("/abs/c.tif"))]
    assert (values["aoi"], values["out"]) == (str(tmp_path / "area.geojson"), str(tmp_path / "o"))
    for box in ("7.1,43.7,7.2,43.8", "7.1, 43.7, 7.2, 43.8", "-1.5e1,-2,+3,4.0"):
        assert read_config(_file(tmp_path, f'[build]\naoi = "{box}"\n'))["aoi"] == box


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"workers": 0}, "workers"),
        ({"workers": "x", "storey_height": -1}, "workers.*storey_height|storey_height.*workers"),
        ({"map": "height"}, "height=COLUMN"),
        ({"map": ["height"]}, r"height=COLUMN \(got 'height'\)"),
        ({"geoid_offset": 1e6}, "geoid_offset"),
        ({"bulidings": "a"}, "bulidings: there is no such option; did you mean buildings"),
        ({"xyz": 1}, "xyz: there is no such option"),
        ({"ground_z": float("nan")}, "ground_z"),
        ({"default_height": float("inf")}, "default_height"),
    ],
)
def test_wrong_values_name_their_option(values: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        make_config(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[build", "[other]\n", "a = 1\n", "\x00"])
def test_wrong_files_name_themselves(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"citygen\.toml"):
        make_config({}, file=_file(tmp_path, text))
    (tmp_path / "citygen.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"citygen\.toml"):
        make_config({}, file=tmp_path / "citygen.toml")


def test_a_table_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\[build\]"):
        make_config({}, file=_file(tmp_path, "build = 3\n"))


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9:_]{1,12}", fullmatch=True),
        min_size=1,
    )
)
def test_a_map_reads_the_same_in_every_spelling(mapping: dict[str, str]) -> None:
    listed = [f"{key}={column}" for key, column in mapping.items()]
    assert (
        make_config({"map": mapping}).map
        == make_config({"map": listed}).map
        == make_config({"map": ",".join(listed)}).map
    )


def test_how_a_run_is_done_is_no_part_of_what_it_gives() -> None:
    one = make_config({"out": "a", "workers": 1, "buildings": ["x"]})
    two = make_config(
        {"out": "b", "workers": 8, "buildings": ["y"], "overwrite": True, "preview": True, "resume": False}
    )
    assert one.result_options() == two.result_options()
    assert make_config({"ground_z": 1}).result_options() != one.result_options()
