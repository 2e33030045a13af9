"""Any table as a source: a short TOML file says which column is what.

```toml
encoding = "cp1252"                  # of a CSV file that is not UTF-8
name = "myshop"                      # names the source, and begins the message ids it makes
properties = ["cds"]                 # columns kept as they are
message_id = "{customer_id}-{date}"  # for records without an id; else their content makes it

[columns]                            # what of an event comes from which column (a.b reaches into objects)
customer = "customer_id"
at = "date"
kind = "action"
amount = "spend"

[kinds]                              # what the file calls our kinds; "*" is any other name, "SKIP" leaves out
buy = "PURCHASE"

[channels]                           # the same for channels
[constants]                          # what is the same in every record: channel = "WEB"
[units]                              # at = "s" | "ms" | "us" | "iso" | "%d.%m.%Y"; time_zone; amount = 0.01
                                     # decimal = "," for 1.234,50
[patterns]                           # item = '[0-9]+': a value that does not match whole counts as absent
[where]                              # in_window = true: other records are left out; "*" is anything but empty
```
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from features.sources.contract import SAMPLES, BadRecord, Column, MappingInvalid, Source, shown
from features.sources.fields.times import SCALES, instant
from features.sources.formats.mapped_rows import COLUMNS, Rows
from features.sources.readers.readers import read

LONGEST_NAME = 40
"""Characters of the longest name of a mapping: it begins every message id, which has room for 100."""

_TABLES = {
    "columns": frozenset(COLUMNS),
    "constants": frozenset(COLUMNS) - {"message_id", "customer", "at"},
    "units": frozenset(("at", "time_zone", "amount", "quantity", "score", "decimal")),
    "patterns": frozenset(COLUMNS) - {"kind", "at"},
    "kinds": None,
    "channels": None,
    "where": None,
}
_SETTINGS: dict[str, type] = {
    "name": str,
    "doc": str,
    "message_id": str,
    "properties": list,
    "delimiter": str,
    "encoding": str,
    "header": list,
}


def load_mapping(path: Path) -> Source:
    """The source that a TOML file describes. Raises MappingInvalid, saying what in the file is wrong."""
    try:
        with path.open("rb") as file:
            text = tomllib.load(file)
    except OSError as error:
        raise MappingInvalid(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingInvalid(f"{path} is not TOML: {error}") from None
    try:
        _check(text)
        rows = Rows(text)
    except (LookupError, TypeError, ValueError, BadRecord, re.error) as error:
        raise MappingInvalid(f"{path}: {error.args[0]} (docs/howto/import.md)") from None
    header, delimiter = text.get("header"), text.get("delimiter")
    return Source(
        name=rows.name,
        doc=str(text.get("doc", "")),
        columns=tuple(Column(column, COLUMNS[what], True) for what, column in rows.columns.items()),
        customer=(rows.columns["customer"],),
        read=partial(
            read,
            required=rows.required,
            header=None if header is None else tuple(header),
            delimiter=delimiter,
            encoding=text.get("encoding", "utf-8"),
        ),
        parse=rows,
        sample=SAMPLES / "mappings" / f"{path.stem}.csv",
        keeps=tuple(text.get("properties", ())),
    )


def _check(text: Mapping[str, Any]) -> None:
    """Everything about the form of a mapping that can be wrong before a value is looked at."""
    for key in text:
        if key not in _SETTINGS and key not in _TABLES:
            raise LookupError(f"unknown setting {key!r}; expected {', '.join((*_SETTINGS, *_TABLES))}")
    for table, allowed in _TABLES.items():
        entries = text.get(table, {})
        if not isinstance(entries, dict):
            raise TypeError(f"{table} must be a table, got {shown(entries)}; write [{table}] above its lines")
        for key in entries:
            if allowed is not None and key not in allowed:
                raise LookupError(f"[{table}] has no {key!r}; expected {', '.join(sorted(allowed))}")
    for key, kind in _SETTINGS.items():
        value = text.get(key)
        texts = value if isinstance(value, list) and kind is list else [value]
        if value is not None and not (isinstance(value, kind) and all(isinstance(member, str) for member in texts)):
            raise TypeError(f"{key} must be {'a list of texts' if kind is list else 'a text'}, got {shown(value)}")
    _check_columns(text.get("columns", {}), text)
    _check_unit(str(text.get("units", {}).get("at", "iso")))


def _check_columns(columns: Mapping[str, Any], text: Mapping[str, Any]) -> None:
    """What a mapping needs: a name, and where the customer, the time and the kind come from."""
    if not str(text.get("name", "")).strip():
        raise LookupError('a mapping has a name, which begins its message ids: name = "myshop"')
    for needed in ("customer", "at"):
        if needed not in columns:
            raise LookupError(f"[columns] must say which column is {needed!r}")
    if "kind" not in columns and "kind" not in text.get("constants", {}):
        raise LookupError("the kind is neither in [columns] nor in [constants]")
    for patterned in text.get("patterns", {}):
        if patterned not in columns:
            raise LookupError(f"[patterns] names {patterned!r}, which [columns] does not fill")
    if strange := [value for value in columns.values() if not isinstance(value, str)]:
        raise TypeError(f"[columns] takes names of columns, got {shown(strange[0])}")
    if len(text["name"]) > LONGEST_NAME:
        raise ValueError(f"a name has at most {LONGEST_NAME} characters, got {len(text['name'])}")
    _check_text(text)
    if len(delimiter := text.get("delimiter", ",")) != 1:
        raise ValueError(f"delimiter must be one character, got {delimiter!r}")


def _check_text(text: Mapping[str, Any]) -> None:
    """How the file is written: its encoding, and its decimal mark."""
    encoding = text.get("encoding", "utf-8")
    if ',;"\n'.encode(encoding) != b',;"\n':
        raise ValueError(f"encoding {encoding!r} writes commas and line ends not as ASCII; convert the file to UTF-8")
    if (mark := text.get("units", {}).get("decimal", ".")) not in (".", ","):
        raise ValueError(f'decimal must be "." or ",", got {shown(mark)}')


def _check_unit(unit: str) -> None:
    if unit != "iso" and unit not in SCALES and "%" not in unit:
        raise LookupError(
            f"unknown unit of time {unit!r}; expected iso, s, ms, us, or a pattern such as %d.%m.%Y %H:%M"
        )
    if "%" in unit:
        instant(datetime(2000, 1, 1, tzinfo=UTC).strftime(unit), "at", unit)
