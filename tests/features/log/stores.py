"""The stores that every law is tried on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from features.log.contract import EventLog
from features.log.parquet import ParquetLog
from features.log.sqlite import SqliteLog
from tests.features.log.sealing import SealingLog

STORES: dict[str, Callable[[Path], EventLog]] = {
    "sqlite": SqliteLog,
    "sealed": SealingLog,
    "parquet": partial(ParquetLog, partitions=3),
}
"""How each store is opened at a path."""
