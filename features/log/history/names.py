"""The names behind the codes of a history, as Parquet files beside the segments, so that any engine can join them.

`customers`, `items` and `categories` are folders of files with the columns `code` and `name`. The database keeps the
names that count; these are copies, written with the segments that need them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Iterable, Mapping

import polars as pl

from features.log.history.store import Store

VOCABULARIES = ("customers", "items", "categories")

Names = Iterable[tuple[int, str | None]]

Span = tuple[int, int]
"""The first and the last code of the names of a file."""

MOST_FILES = 16
"""With more files of names, they become one."""

_SCHEMA = pl.Schema({"code": pl.Int32, "name": pl.String})
_FILE = re.compile(r"[a-z]+/names-(\d{10})-(\d{10})\.parquet")


def add(store: Store, vocabulary: str, names_from: Callable[[int], Names]) -> None:
    """Write the names that no file holds yet; `names_from` gives those of a code and of all above it."""
    present = _files(store, vocabulary)
    highest = max((last for _, last in present.values()), default=-1)
    frame = pl.DataFrame(list(names_from(highest + 1)), _SCHEMA, orient="row").drop_nulls()
    if len(frame):
        _write(store, vocabulary, frame, (int(frame["code"][0]), int(frame["code"][-1])))
    if len(present) > MOST_FILES:
        _rewrite(store, vocabulary, present, ())


def erase(store: Store, codes: Collection[int]) -> None:
    """Remove the names of these customers' codes from every file that holds one."""
    for file, span in _files(store, "customers").items():
        if _read(store, file)["code"].is_in(list(codes)).any():
            _rewrite(store, "customers", {file: span}, codes)


def remove_repeated(store: Store) -> None:
    """Remove files whose names another file has as well: a process died after it wrote several as one."""
    for vocabulary in VOCABULARIES:
        reached, repeated = -1, []
        for file, (_, last) in _files(store, vocabulary).items():
            if last <= reached:
                repeated.append(file)
            reached = max(reached, last)
        store.remove(repeated)


def _rewrite(store: Store, vocabulary: str, files: Mapping[str, Span], without: Collection[int]) -> None:
    """Write the names of several files as one, and delete them."""
    whole = pl.concat([_read(store, file) for file in files])
    left = whole.filter(~pl.col("code").is_in(list(without))).sort("code")
    firsts, lasts = zip(*files.values(), strict=True)
    kept = _write(store, vocabulary, left, (min(firsts), max(lasts))) if len(left) else None
    store.remove([file for file in files if file != kept])


def _write(store: Store, vocabulary: str, frame: pl.DataFrame, span: Span) -> str:
    file = f"{vocabulary}/names-{span[0]:010}-{span[1]:010}.parquet"
    content = io.BytesIO()
    frame.write_parquet(content, compression="zstd", compression_level=1)
    store.write(file, content.getvalue())
    return file


def _read(store: Store, file: str) -> pl.DataFrame:
    """The names of a file; none when it is gone."""
    content = store.read(file)
    return pl.DataFrame(schema=_SCHEMA) if content is None else pl.read_parquet(io.BytesIO(content))


def _files(store: Store, vocabulary: str) -> dict[str, Span]:
    """The files of names, by rising first code, the one that reaches further before others with the same first."""
    matches = ((name, _FILE.fullmatch(name)) for name in store.names(vocabulary))
    files = {name: (int(match[1]), int(match[2])) for name, match in matches if match}
    return dict(sorted(files.items(), key=lambda file: (file[1][0], -file[1][1])))
