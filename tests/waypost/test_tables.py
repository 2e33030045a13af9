"""Tables on a terminal of 80 columns and as Markdown: whatever is in them, nothing is cut in the middle of meaning."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from features.journey import JOURNEY
from tests.training.monitoring.reports import everything_wrong
from training.monitoring.tables import SHOWN, tables
from training.targets import TARGETS
from waypost.tables import LONGEST_WORD, is_number, markdown, shown, table

WIDTH = 80

NUMBERS = st.one_of(
    st.integers(0, 10**9),
    st.floats(-1e6, 1e6).map("{:.3f}".format),
    st.floats(0, 1).map("{:.1%}".format),
    st.tuples(*[st.floats(0, 1)] * 3).map(lambda three: "{:.3f} [{:.3f}, {:.3f}]".format(*three)),
)
WORD = st.text("abcdefghijklmnopqrstuvwxyz_-/.:", min_size=1, max_size=LONGEST_WORD)
SENTENCE = st.lists(WORD, min_size=1, max_size=12).map(" ".join)
CELLS = st.sampled_from((NUMBERS, WORD, SENTENCE))


@st.composite
def contents(draw: st.DrawFn) -> tuple[list[str], list[list[object]]]:
    """The columns of a table and its rows; each column is of one kind, and some of its cells are empty."""
    kinds = draw(st.lists(CELLS, min_size=1, max_size=9))
    heading = st.text("abcdefghij ", min_size=1, max_size=18).map(lambda text: text.strip() or "x")
    columns = [draw(heading) for _ in kinds]
    rows = draw(st.integers(1, 4))
    return columns, [[draw(kind | st.just("")) for kind in kinds] for _ in range(rows)]


def drawn(columns: list[str], rows: list[list[object]], encoding: str = "utf-8") -> str:
    """The table as a terminal of this encoding gets it."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding)
    console = Console(file=stream, width=WIDTH)
    console.print(table(columns, rows, WIDTH))
    stream.flush()
    return written.getvalue().decode(encoding)


@settings(deadline=None)
@given(contents(), st.sampled_from(("utf-8", "ascii")))
def test_no_line_is_too_long_and_no_number_or_word_is_cut(
    content: tuple[list[str], list[list[object]]], encoding: str
) -> None:
    columns, rows = content
    text = drawn(columns, rows, encoding)
    assert all(len(line) <= WIDTH for line in text.splitlines())
    words = set(re.split(r"[\s|]+", text))
    for cell in (shown(each) for row in rows for each in row):
        if is_number(cell):
            assert cell in text
        else:
            assert set(re.split(r"[\s|]+", cell)) <= words


@settings(deadline=None)
@given(contents())
def test_markdown_is_read_back_as_it_was(content: tuple[list[str], list[list[object]]]) -> None:
    columns, rows = content
    title, empty, *lines = markdown("what | it is", columns, rows).splitlines()
    assert (title, empty, lines.pop()) == (r"**what \| it is**", "", "")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == [" ".join(each.split()) for each in columns]
    assert cells[2:] == [[shown(each) for each in row] for row in rows]


def test_markdown_keeps_bars_and_lines_inside_their_cells() -> None:
    assert markdown("t", ("rule",), [("a | b\nc\\",)]).splitlines()[-2] == r"| a \| b c\\ |"


@pytest.mark.parametrize("text", ["1,234", "0.84", "-3.5", "12.0%", "0.8 %", "0.864 [0.848, 0.879]", "98 %"])
def test_numbers_are_told_from_words(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize("text", ["", "2026-05-28T20:26:40Z", "3 rows", "A", "1a75840adb20", "-"])
def test_words_are_told_from_numbers(text: str) -> None:
    assert not is_number(text)


def test_few_columns_stand_beside_each_other() -> None:
    lines = drawn(["target", "tier", "rows"], [["conversion_7d", "trees", 12_345], ["churn_28d", "prior", 7]])
    assert [line.rstrip() for line in lines.splitlines()] == [
        "target         tier     rows",
        "────────────────────────────",
        "conversion_7d  trees  12,345",
        "churn_28d      prior       7",
    ]


def test_many_columns_stand_under_each_other() -> None:
    columns = ["target", *(f"the figure {number}" for number in range(9))]
    lines = drawn(columns, [["conversion_7d", *(f"0.{number}21 [0.1, 0.9]" for number in range(8)), ""]])
    assert [line.rstrip() for line in lines.splitlines()] == [
        "conversion_7d",
        *(f"  the figure {number}  0.{number}21 [0.1, 0.9]" for number in range(8)),
    ]


def test_a_line_is_enough_for_a_column_that_drifted() -> None:
    report, _ = everything_wrong(1_780_000_000_000_000)
    calm = replace(report.drifts[0], psi=0.1, sameness_limit=0.9)
    far = replace(calm, wasserstein=99.99, wasserstein_limit=12.34)
    names = [(name, False) for name in JOURNEY.names] + [(name, True) for name in TARGETS]
    longest = sorted(names, key=lambda each: -len(each[0]))[:SHOWN]
    for one in (replace(calm, psi=9.99), far, replace(calm, sameness=0.99)):
        for mean in (12_345_678.9, -0.01234567, 0.0):
            drifted = tuple(replace(one, mean=mean, name=name, is_score=is_score) for name, is_score in longest)
            (_, columns, rows), *_ = tables(replace(report, drifts=drifted))
            assert all(str(row[1]).endswith(": DRIFTED") for row in rows)
            assert len(drawn(list(columns), [list(row) for row in rows]).splitlines()) == SHOWN + 2
