"""A text file, plain or packed, as blocks of whole lines: the same blocks for the same bytes."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from features.sources.readers.faults import unreadable
from features.sources.readers.lines import LONGEST_LINE, skip_rest
from features.sources.readers.packed import unpacked

BLOCK = 8 << 20
"""Bytes of a block, beside the rest of its last line."""


class Block(NamedTuple):
    """Some lines of a file."""

    text: bytes
    """The lines, with the end of the last one even where the file has none. Of a line that is longer than
    `LONGEST_LINE`, at least so many bytes."""
    first_line: int
    """The number of the first line, from 1."""
    done: int
    """How many bytes of the file have been read (of the packed file, when it is packed)."""


class _Broken(Exception):
    """The file breaks off after `text`."""

    def __init__(self, text: bytes, error: Exception) -> None:
        super().__init__()
        self.text = text
        self.error = error


def blocks(path: Path, above: int) -> Iterator[Block]:
    """The blocks of a file after so many lines `above`.

    Raises FileUnreadable where the file breaks off, after a block of the whole lines before.
    """
    lines = above
    try:
        with path.open("rb") as file:
            text = unpacked(file, path)
            for _ in range(above):
                skip_rest(text, text.readline(LONGEST_LINE))
            # A packed file is read in the steps of a buffer: where it is damaged, the step before is lost.
            step = BLOCK if text is file else io.DEFAULT_BUFFER_SIZE
            while block := _read(text, step):
                yield Block(block if lines else block.removeprefix(b"\xef\xbb\xbf"), lines + 1, file.tell())
                lines += block.count(b"\n")
    except _Broken as broken:
        if broken.text:
            yield Block(broken.text, lines + 1, file.tell() if not file.closed else path.stat().st_size)
        lines += broken.text.count(b"\n")
        unreadable(path, broken.error, f" after line {lines}")
    except (OSError, EOFError, zlib.error) as error:
        unreadable(path, error, f" after line {lines}")


def _read(text: BinaryIO, step: int) -> bytes:
    """The next block, empty at the end. Raises _Broken."""
    parts: list[bytes] = []
    size = 0
    try:
        while size < BLOCK and (part := text.read1(min(step, BLOCK - size))):  # type: ignore[attr-defined]
            parts.append(part)
            size += len(part)
        if parts and not parts[-1].endswith(b"\n"):
            parts.append(rest := text.readline(LONGEST_LINE))
            if len(rest) == LONGEST_LINE:
                skip_rest(text, rest)
    except (OSError, EOFError, zlib.error) as error:
        before = b"".join(parts)
        raise _Broken(before[: before.rfind(b"\n") + 1], error) from None
    block = b"".join(parts)
    return block if not block or block.endswith(b"\n") else block + b"\n"
