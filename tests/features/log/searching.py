"""A search for texts in every file below a folder, as its bytes are and in every column of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl


def holders(folder: Path, texts: Iterable[str]) -> dict[str, list[str]]:
    """The files that hold any of the texts, by text; texts that no file holds are left out."""
    contents = {path: readable(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    found = {
        text: [str(path.relative_to(folder)) for path, content in contents.items() if text.encode() in content]
        for text in texts
    }
    return {text: paths for text, paths in found.items() if paths}


def readable(path: Path) -> bytes:
    """The bytes of a file; of a Parquet file also all texts of its columns, which are packed there."""
    content = path.read_bytes()
    if content[:4] != b"PAR1" or content[-4:] != b"PAR1":
        return content
    columns = pl.read_parquet(content)
    texts = [column.cast(pl.String).drop_nulls().unique().to_list() for column in columns if column.dtype == pl.String]
    return b"\n".join([content, *(text.encode() for column in texts for text in column)])
