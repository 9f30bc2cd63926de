"""Laws of the word readers: what a person writes comes back, what says nothing is NaN, nothing raises."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citygen.attributes.colours import NAMED, parse_colour
from citygen.attributes.columns import shown
from citygen.attributes.units import (
    METRES,
    PARSERS,
    compass_word,
    parse_angle,
    parse_bearing,
    parse_count,
    parse_length,
)

PLACES = st.integers(0, 10**7).map(lambda k: k / 1000)
SPACE = st.sampled_from(["", " ", "  ", "\u00a0", "\t"])
METRE = st.sampled_from(["m", "M", "м", "metre", "metres", "meter", "Meters"])
FOOT = st.sampled_from(["ft", "Ft", "feet", "foot", "'", "′", "’"])
INCH = st.sampled_from(['"', "″", "in", "inches", "''"])


@given(PLACES, SPACE, st.one_of(st.just(""), METRE), st.sampled_from(".,"), st.sampled_from(["", "+"]))
def test_metres_come_back(value: float, space: str, unit: str, mark: str, sign: str) -> None:
    text = f"{space}{sign}{value:.3f}".replace(".", mark) + (space + unit if unit else space)
    assert parse_length(text) == value


@given(PLACES, SPACE, FOOT)
def test_feet_come_back(value: float, space: str, unit: str) -> None:
    assert parse_length(f"{value}{space}{unit}") == pytest.approx(value * 0.3048, rel=1e-12)


@given(st.integers(0, 3000), st.floats(0, 11.99).map(lambda x: round(x, 2)), SPACE, FOOT, INCH)
def test_feet_and_inches_come_back(feet: int, inches: float, space: str, foot: str, inch: str) -> None:
    expected = feet * 0.3048 + inches * 0.0254
    assert parse_length(f"{feet}{foot}{space}{inches}{space}{inch}") == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(PLACES, st.sampled_from(sorted(METRES)))
def test_a_bare_number_is_in_the_unit_of_its_column_and_a_written_unit_wins(value: float, unit: str) -> None:
    assert parse_length(str(value), unit) == pytest.approx(value * METRES[unit], rel=1e-12)
    assert parse_length(f"{value} m", unit) == value


@pytest.mark.parametrize(
    "word",
    [
        *("", "m", "12 km", "12 yd", "12 mm2", "1 2", "12 m 5", "40'13\"", "40'6", "6' 2.5 ft", "12..5", "1.234,5"),
        *("1,2,3", "--3", "- 3", "e5", "1e", "0x10", "1_000", "½", "٣", "３", "12\x00", "nan", "inf", "-inf", "true"),
        *("12-15", "~12", "12;15", ">12", "12?", "12 м²", "twelve", "9" * 65),
    ],
)
def test_what_is_no_length_is_nan(word: str) -> None:
    assert math.isnan(parse_length(word))


@given(st.text())
def test_no_text_raises_and_nothing_without_a_digit_is_a_number(word: str) -> None:
    for kind, parse in PARSERS.items():
        value = parse(word, "m")
        assert isinstance(value, float)
        if kind in ("length", "count", "angle") and not any(c in "0123456789" for c in word):
            assert math.isnan(value)


@pytest.mark.parametrize("word", ["9" * 10**6, "1" + " " * 10**6 + "1", "'" * 10**6, "+" * 10**6, "1,1" * 10**5])
def test_a_very_long_word_is_refused_at_once(word: str) -> None:
    start = time.perf_counter()
    assert all(math.isnan(parse(word, "m")) for parse in PARSERS.values())
    assert time.perf_counter() - start < 0.5
    assert len(shown("height", word)) < 120


def test_compass_words_go_round_in_steps() -> None:
    winds = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]
    assert [parse_bearing(word) for word in winds] == [22.5 * k for k in range(16)]
    assert parse_bearing("South-West") == compass_word("sw") == 225.0
    assert math.isnan(compass_word("45"))
    assert math.isnan(parse_bearing("left"))


def test_counts_and_angles_take_no_unit_of_length() -> None:
    assert math.isnan(parse_count("3 m"))
    assert math.isnan(parse_angle("30 m"))
    assert parse_angle("30,5 °") == 30.5
    assert parse_count(" 2,5 ") == 2.5


@given(st.integers(0, 0xFFFFFF))
def test_colours_come_back(value: int) -> None:
    assert parse_colour(f"#{value:06x}") == parse_colour(f"#{value:06X}") == value


def test_short_and_named_colours() -> None:
    assert parse_colour("#1aF") == 0x11AAFF
    assert (len(NAMED), NAMED["rebeccapurple"], NAMED["tan"]) == (148, 0x663399, 0xD2B48C)
    assert parse_colour("Light Grey") == parse_colour("light_gray") == parse_colour("lightgray") == 0xD3D3D3
    for word in ("rot", "#ggg", "#12345", "ff0000", "#ff00001", "", "#", "rgb(1,2,3)"):
        assert math.isnan(parse_colour(word)), word


def test_named_colours_agree_with_pillow() -> None:
    from PIL import ImageColor

    for name, value in NAMED.items():
        red, green, blue = ImageColor.getrgb(name)[:3]
        assert (red << 16 | green << 8 | blue) == value, name
    assert set(ImageColor.colormap) == set(NAMED)
