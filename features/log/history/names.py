"""The names behind the codes of a history, as Parquet files beside the segments, so that any engine can join them.

`customers`, `items` and `categories` are folders of files with the columns `code` and `name`. The database keeps the
names that count; these are copies, written with the segments that need them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import polars as pl

from features.files import synchronise
from features.log.history.disk import write_parquet

VOCABULARIES = ("customers", "items", "categories")

Names = Iterable[tuple[int, str | None]]

Span = tuple[int, int]
"""The first and the last code of the names of a file."""

MOST_FILES = 16
"""With more files of names, they become one."""

_SCHEMA = pl.Schema({"code": pl.Int32, "name": pl.String})
_FILE = re.compile(r"names-(\d{10})-(\d{10})\.parquet")


def add(folder: Path, vocabulary: str, names_from: Callable[[int], Names]) -> None:
    """Write the names that no file holds yet; `names_from` gives those of a code and of all above it."""
    home = folder / vocabulary
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    present = _files(home)
    highest = max((last for _, last in present.values()), default=-1)
    frame = pl.DataFrame(list(names_from(highest + 1)), _SCHEMA, orient="row").drop_nulls()
    if len(frame):
        _write(home, frame, int(frame["code"][0]), int(frame["code"][-1]))
    if len(present) > MOST_FILES:
        _rewrite(home, present, ())


def erase(folder: Path, codes: Collection[int]) -> None:
    """Remove the names of these customers' codes from every file that holds one."""
    home = folder / "customers"
    for path, span in _files(home).items():
        held = pl.read_parquet(path, columns=["code"], glob=False)["code"]
        if held.is_in(list(codes)).any():
            _rewrite(home, {path: span}, codes)


def remove_repeated(folder: Path) -> None:
    """Remove files whose names another file has as well: a process died after it wrote several as one."""
    for vocabulary in VOCABULARIES:
        reached = -1
        for path, (_, last) in _files(folder / vocabulary).items():
            if last <= reached:
                path.unlink()
            reached = max(reached, last)


def _rewrite(home: Path, files: Mapping[Path, Span], without: Collection[int]) -> None:
    """Write the names of several files as one, and delete them."""
    whole = pl.concat([pl.read_parquet(path, glob=False) for path in files])
    left = whole.filter(~pl.col("code").is_in(list(without))).sort("code")
    firsts, lasts = zip(*files.values(), strict=True)
    kept = _write(home, left, min(firsts), max(lasts)) if len(left) else None
    for path in files:
        if path != kept:
            path.unlink()
    synchronise(home)


def _write(home: Path, frame: pl.DataFrame, first: int, last: int) -> Path:
    path = home / f"names-{first:010}-{last:010}.parquet"
    write_parquet(path, frame)
    return path


def _files(home: Path) -> dict[Path, Span]:
    """The files of names, by rising first code, the one that reaches further before others with the same first."""
    matches = ((path, _FILE.fullmatch(path.name)) for path in home.glob("*"))
    files = {path: (int(match[1]), int(match[2])) for path, match in matches if match}
    return dict(sorted(files.items(), key=lambda file: (file[1][0], -file[1][1])))
