"""The names behind the codes of a history, as Parquet files beside the segments, so that any engine can join them.

`customers`, `items` and `categories` are folders of files with the columns `code` and `name`. The database keeps the
names that count; these are copies, written with the segments that need them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import polars as pl

from features.files import draft_prefix, settle, synchronise

VOCABULARIES = ("customers", "items", "categories")

Names = Iterable[tuple[int, str | None]]

MOST_FILES = 16
"""With more files of names, they become one."""

_SCHEMA = pl.Schema({"code": pl.Int32, "name": pl.String})
_FILE = re.compile(r"names-(\d{10})-(\d{10})\.parquet")


def add(folder: Path, vocabulary: str, names_from: Callable[[int], Names]) -> None:
    """Write the names that no file holds yet; `names_from` gives those of a code and of all above it."""
    home = folder / vocabulary
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    present = _files(home)
    frame = pl.DataFrame(list(names_from(max(present, default=-1) + 1)), _SCHEMA, orient="row").drop_nulls()
    if len(frame):
        _write(home, frame)
    if len(present) > MOST_FILES:
        _rewrite(home, list(present.values()), ())


def erase(folder: Path, codes: Collection[int]) -> None:
    """Remove the names of these customers' codes from every file that holds one."""
    home = folder / "customers"
    for path in _files(home).values() if home.is_dir() else ():
        held = pl.read_parquet(path, columns=["code"], glob=False)["code"]
        if held.is_in(list(codes)).any():
            _rewrite(home, [path], codes)


def _rewrite(home: Path, paths: Collection[Path], without: Collection[int]) -> None:
    """Write the names of several files as one, and delete them."""
    whole = pl.concat([pl.read_parquet(path, glob=False) for path in paths])
    left = whole.filter(~pl.col("code").is_in(list(without))).sort("code")
    first, last = _bounds(paths)
    kept = _write(home, left, first, last) if len(left) else None
    for path in paths:
        if path != kept:
            path.unlink()
    synchronise(home)


def _bounds(paths: Collection[Path]) -> tuple[int, int]:
    spans = [tuple(map(int, match.groups())) for path in paths if (match := _FILE.fullmatch(path.name))]
    return min(first for first, _ in spans), max(last for _, last in spans)


def _write(home: Path, frame: pl.DataFrame, first: int | None = None, last: int | None = None) -> Path:
    first = int(frame["code"][0]) if first is None else first
    last = int(frame["code"][-1]) if last is None else last
    path = home / f"names-{first:010}-{last:010}.parquet"
    draft = path.with_name(f"{draft_prefix(path.name)}{secrets.token_hex(4)}")
    try:
        frame.write_parquet(draft, compression="zstd", compression_level=1)
        settle(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return path


def _files(home: Path) -> dict[int, Path]:
    """The files of names by the last code that each holds."""
    return {int(match[2]): path for path in sorted(home.iterdir()) if (match := _FILE.fullmatch(path.name))}
