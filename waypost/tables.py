"""A table as text: columns side by side where they fit the width, else stacked, or as Markdown.

Names, numbers and intervals stay whole; only sentences, and words longer than `LONGEST_WORD`, are wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Rows = Sequence[Sequence[object]]

GAP = 2
LONGEST_WORD = 36
"""A longer word, such as the path of a file, may be wrapped."""

NARROWEST_SENTENCE = 20
"""A narrower column would show a sentence word by word."""
_NUMBER = re.compile(r"[-+]?[\d.,]*\d *%?( \[[^\]]*\])?")


def shown(cell: object) -> str:
    """A cell as text: whole numbers with commas."""
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def is_number(text: str) -> bool:
    """Whether a cell is a number, alone, as a percentage or with its interval."""
    return _NUMBER.fullmatch(text) is not None


def table(columns: Sequence[str], rows: Rows, width: int) -> Table | Group:
    """The rows under their headings, at most `width` wide."""
    cells = [[shown(cell) for cell in row] for row in rows]
    by_column = [[row[place] for row in cells] for place in range(len(columns))]
    widths = _widths(columns, by_column, width - GAP * (len(columns) - 1))
    if widths is None:
        return _stacked(columns, cells)
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style="bold")
    for name, column, most in zip(columns, by_column, widths, strict=True):
        made.add_column(Text(name), justify="right" if _numeric(column) else "left", width=most, overflow="fold")
    for row in cells:
        made.add_row(*map(Text, row))
    return made


def _widths(columns: Sequence[str], by_column: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """The width of each column, in all at most `width`; None where they would be unreadable."""
    wanted = [max(map(cell_len, [name, *column])) for name, column in zip(columns, by_column, strict=True)]
    given = [
        min(most, max(_words([name]), _least(column)))
        for name, column, most in zip(columns, by_column, wanted, strict=True)
    ]
    spare = width - sum(given)
    if spare < 0:
        return None
    # Columns that lack little get their full width first, so that long sentences share the rest.
    lacking = sorted(range(len(columns)), key=lambda place: wanted[place] - given[place])
    for done, place in enumerate(lacking):
        more = min(wanted[place] - given[place], spare // (len(columns) - done))
        given[place] += more
        spare -= more
    return given


def _words(texts: Sequence[str]) -> int:
    """Width of the longest word."""
    return max((cell_len(word) for text in texts for word in text.split()), default=0)


def _least(column: Sequence[str]) -> int:
    """The width below which the cells of a column cannot be read."""
    longest = min(LONGEST_WORD, _words(column))
    whole = max((cell_len(cell) for cell in column if " " not in cell or is_number(cell)), default=0)
    sentences = [cell_len(cell) for cell in column if " " in cell and not is_number(cell)]
    return max(longest, min(LONGEST_WORD, whole), min(NARROWEST_SENTENCE, max(sentences, default=0)))


def _numeric(column: Sequence[str]) -> bool:
    return any(column) and all(is_number(cell) for cell in column if cell)


def _stacked(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Group:
    """Each row under its first cell, a line for each further cell that is not empty."""
    parts: list[Text | Padding] = []
    for row in cells:
        lines = Table(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
        lines.add_column(no_wrap=True, min_width=max(map(cell_len, columns[1:])))
        lines.add_column(overflow="fold")
        for name, cell in zip(columns[1:], row[1:], strict=True):
            if cell:
                lines.add_row(Text(name), Text(cell))
        parts += [Text(row[0], "bold"), Padding(lines, (0, 0, 0, GAP), expand=False)]
    return Group(*parts)


def markdown(title: str, columns: Sequence[str], rows: Rows) -> str:
    """The table as Markdown, its title above it."""
    cells = [[shown(cell) for cell in row] for row in rows]
    numeric = [_numeric([row[place] for row in cells]) for place in range(len(columns))]
    lines = [_line(columns), _line(["--:" if right else "---" for right in numeric]), *map(_line, cells)]
    return "\n".join([f"**{_escaped(title)}**", "", *lines, "", ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
