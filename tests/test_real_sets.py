"""Every real data set builds, no id is lost, and the table in the documentation says what comes out."""

import re
from pathlib import Path

import pytest
from real_sets import HEAD, SETS, Set, measure, row_of

PAGE = Path(__file__).parent.parent / "docs" / "real-data.md"


def documented() -> dict[str, list[str]]:
    block = re.search(
        r"<!-- real-sets:start -->\n(.*?)<!-- real-sets:end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert block is not None
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in block[1].splitlines() if line.startswith("|")
    ]
    assert rows[0] == HEAD
    return {row[0]: row for row in rows[2:]}


def test_the_table_has_every_set() -> None:
    assert list(documented()) == [one.name for one in SETS]


@pytest.mark.slow
@pytest.mark.parametrize("one", SETS, ids=lambda one: one.name)
def test_every_id_has_a_row_and_the_table_says_so(one: Set, testdata: Path) -> None:
    result = measure(one, testdata / "realdata")
    assert result["rows"] == result["distinct"] == result["ids_in"]
    assert sum(result["outcomes"].values()) == result["rows"]
    assert row_of(result)[:-1] == documented()[one.name][:-1]
