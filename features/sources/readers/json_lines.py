"""Records of JSON lines: one object a line, which may be partly broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from features.sources.contract import BadRecord, Record, shown
from features.sources.readers.broken_json import read as read_json
from features.sources.readers.lines import Lines, is_cut, too_long


class JsonReading:
    """JSON lines: one object a line; empty lines mean nothing."""

    def __init__(self, path: Path) -> None:
        self._lines = Lines(path)
        self.total = self._lines.total
        self.done = self._lines.done

    def __iter__(self) -> Iterator[Record]:
        lines = self._lines
        decode = json.JSONDecoder().raw_decode
        for line in lines:
            if not line or line.isspace():
                continue
            odd = b"\\ud" in line
            try:
                text = line.decode().strip()
                values, end = decode(text)
                if end < len(text):
                    raise json.JSONDecodeError("more follows the object", text, end)
            except (ValueError, RecursionError) as error:
                try:
                    values, odd = read_json(line), True
                except ValueError:
                    yield Record(lines.number, line, {}, too_long() if is_cut(line) else _json_fault(error))
                    continue
            fault = None
            if type(values) is not dict:
                values, fault = {}, BadRecord("", f"expected a JSON object, got {shown(values)}")
            yield Record(lines.number, line, values, fault, odd)


def _json_fault(error: Exception) -> BadRecord:
    if isinstance(error, json.JSONDecodeError):
        return BadRecord("", f"not JSON: {error.msg} at character {error.pos + 1}")
    if isinstance(error, RecursionError):
        return BadRecord("", "not JSON that can be read: nested too deeply")
    return BadRecord("", f"not JSON that can be read: {error}")
