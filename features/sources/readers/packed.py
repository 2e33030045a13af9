"""Files packed with gzip or zstd, as the bytes they hold."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import BinaryIO, cast

from features.sources.contract import FileUnreadable

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
"""The first bytes of a file that is packed with gzip and with zstd."""


def is_packed(path: Path) -> bool:
    """Whether a file is packed. Raises OSError."""
    with path.open("rb") as file:
        return file.read(4).startswith((GZIP, ZSTD))


def unpacked(file: BinaryIO, path: Path) -> BinaryIO:
    """The bytes of a file, unpacked if it is packed. Raises FileUnreadable when that needs a missing package."""
    beginning = file.read(4)
    file.seek(0)
    if beginning.startswith(GZIP):
        return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=file)))
    if beginning != ZSTD:
        return file
    try:
        import pyarrow as pa  # an extra
    except ImportError:
        raise FileUnreadable(
            f"{path} is packed with zstd, which needs the extra `training`; install it, or unpack the file first: "
            f"zstd -d {path}"
        ) from None
    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"))
