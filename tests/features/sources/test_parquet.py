from __future__ import annotations

import builtins
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from features.sources import FileUnreadable
from features.sources.readers.readers import read


def write(path: Path, columns: Mapping[str, Any], **options: Any) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), path, **options)
    return path


def test_rows_come_as_python_values_and_nan_as_absent(tmp_path: Path) -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    path = write(
        tmp_path / "rows.parquet",
        {
            "who": ["ada", None],
            "price": [1.5, float("nan")],
            "exact": [Decimal("1.10"), None],
            "when": pyarrow.array([moment, moment], pyarrow.timestamp("ns", "UTC")),
            "items": [[{"id": "x"}], []],
        },
    )
    first, second = list(read(path))
    assert first.values["who"] == "ada"
    assert first.values["when"] == moment
    assert first.values["items"] == [{"id": "x"}]
    assert second.values["price"] is None
    assert (first.position, second.position) == (1, 2)
    assert json.loads(second.raw) == {"who": None, "price": None, "exact": None, "when": str(moment), "items": []}


def test_columns_are_checked_and_progress_is_in_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", {"who": ["ada"] * 20_000}, row_group_size=5_000)
    with pytest.raises(FileUnreadable, match="no column what; it has who"):
        read(path, ("who", "what"))
    reading = read(path, ("who",))
    assert [reading.done() for _ in reading] == list(range(1, 20_001))
    assert reading.total == 20_000


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "rows.parquet", {"who": ["ada"]})
    really = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> ModuleType:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return really(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "features.sources.readers.parquet", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(FileUnreadable, match=r"needs pyarrow: pip install 'waypost\[training\]'"):
        read(path)
