"""Partly broken JSON: reads what can be read of it, and the good messages beside a bad one.

For bodies and lines that the fast parser refused. Clients write some things that JSON does not allow but that can be
read: `NaN`, `Infinity`, half a character, bytes that are not UTF-8, a line break within a text. Everything else that is
not JSON is no value. Bytes that are not UTF-8 are kept in the text as lone surrogates, so that every part has exactly
the bytes that were received.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import from_json

DEEPEST = 64
"""Levels of objects and lists that a body, or a message of it, may have."""

MOST_CLOSINGS = 50
"""Closing brackets, from the last one back, that are tried as the end of the list."""

MOST_PARTS = 10_000
"""Most messages of a body that is split into its messages: no client sends more."""

MOST_OPENINGS = 10
"""Places where the list may begin that are tried."""

MOST_REST = 32 * 1024
"""Characters after a message that are searched for a continuation of it: the longest message of Segment has so many."""

SCANS = 16
"""How many times the length of a body is read at most in search of the next message after a broken one."""

TRY, FREE_TRIES = 2_000, 500
"""The cost of trying one place, in characters read; and how many places are tried in even the shortest body."""


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    distinct = dict(members)
    if len(distinct) < len(members):
        raise ValueError("a name occurs twice")
    return distinct


_decode = json.JSONDecoder(strict=False).raw_decode
_decode_distinct = json.JSONDecoder(strict=False, object_pairs_hook=_distinct).raw_decode
_SPACE = re.compile(r"[ \t\r\n]*")
_MEMBER = re.compile(r'"(?:[^"\\]|\\.)*"\s*:', re.DOTALL)
_KEY = re.compile(rb'("writeKey"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.DOTALL)

IsMessage = Callable[[Any], bool]


class Part(NamedTuple):
    """One message of a list."""

    value: Any
    """Its value; None when it cannot be read."""
    raw: bytes | None = None
    """Its bytes, without the key they may hold; None for a message that is strict JSON."""
    reason: str = ""
    """Why it cannot be read; empty when it can."""


class Parts(NamedTuple):
    """A body split into its messages."""

    around: dict[str, Any]
    """The members of the body beside the list."""
    parts: list[Part]


def read(raw: bytes) -> Any:
    """The one value that `raw` is. Raises ValueError, saying what is wrong, when it is none."""
    text = _text(raw)
    try:
        value, end = _decode(text, _skip(text, 0))
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if _skip(text, end) < len(text):
        raise ValueError(f"more follows the value at character {end + 1}")
    if is_deeper(value, DEEPEST):
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    return value


def parts(body: bytes, name: str | None, is_message: IsMessage) -> Parts | None:
    """The messages of the list under `name` in a body; without a name, of the list that is the body itself.

    None when there is no list, or one of more than `MOST_PARTS`. `is_message` says whether a value is a message and
    not an object within one: after a message without an end, the next message begins where one can be read.
    """
    text = _text(body)
    for before, start in _openings(text, name):
        around, end = _surroundings(text, name, before, start)
        messages = list(islice(_parts(text, start, end, is_message), MOST_PARTS + 1))
        return Parts(around, messages) if len(messages) <= MOST_PARTS else None
    return None


def without_key(raw: bytes) -> bytes:
    """The bytes with their key replaced by null, so that they may be stored."""
    return _KEY.sub(rb"\1null", raw)


def is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and lists in a value are nested deeper than so many levels."""
    if not isinstance(value, dict | list):
        return False
    within = value.values() if isinstance(value, dict) else value
    return not levels or any(is_deeper(member, levels - 1) for member in within)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _whole(text: str) -> Any:
    """The JSON value of a text; None when it is none."""
    try:
        value, end = _decode(text)
    except (ValueError, RecursionError):
        return None
    return value if _skip(text, end) == len(text) else None


def _openings(text: str, name: str | None) -> Iterator[tuple[dict[str, Any], int]]:
    """The places where the list may begin, after its bracket, each with the members of the body before it."""
    if name is None:
        at = _skip(text, 0)
        if text[at : at + 1] == "[":
            yield {}, at + 1
        return
    places = [match.end() for match in islice(re.finditer(rf'"{name}"\s*:\s*\[', text), MOST_OPENINGS)]
    for place in places:
        before = _whole(f"{text[:place]}]}}")
        if isinstance(before, dict) and before.get(name) == []:
            yield before, place
    if places:  # what stands before the list is broken itself
        yield {}, places[0]


def _surroundings(text: str, name: str | None, before: dict[str, Any], start: int) -> tuple[dict[str, Any], int]:
    """The members beside the list, and where the list ends: at the end of the text if the rest cannot be read."""
    close = len(text)
    for _ in range(MOST_CLOSINGS):
        close = text.rfind("]", start, close)
        if close < 0:
            break
        if name is None:
            if _skip(text, close + 1) == len(text):
                return before, close
        elif isinstance(after := _whole(f'{{"{name}":[{text[close:]}'), dict):
            return {**before, **after}, close
    return before, len(text)


def _parts(text: str, start: int, end: int, is_message: IsMessage) -> Iterator[Part]:
    at = _skip(text, start)
    search = _Search(text, end, is_message)
    while at < end:
        value, after = _value(text, at)
        follow = _skip(text, after)
        if at < after and follow <= end:
            between = text[follow] == "," if follow < end else True
            then = _skip(text, follow + 1) if between else follow
            # Where a comma is missing, too.
            if (between or (text[follow] == "{" and is_message(value))) and not _ends_early(text, at, after, then):
                yield _part(text[at:after], value)
                at = then
                continue
        following = search.next(at)
        raw = _bytes(text[at:following]).rstrip(b" \t\r\n")
        raw = raw.removesuffix(b",").rstrip(b" \t\r\n") if following < end else raw
        if raw:
            yield Part(None, without_key(raw), _reason(raw))
        at = following


def _value(text: str, at: int) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends: at `at` itself when there is none."""
    try:
        return _decode(text, at)
    except (ValueError, RecursionError):
        return None, at


def _ends_early(text: str, at: int, after: int, then: int) -> bool:
    """Whether the object that ends at `after` continues at `then`, after a closing bracket that should not be there."""
    if not _MEMBER.match(text, then):
        return False
    try:
        _decode_distinct(text[at : after - 1] + text[after : after + MOST_REST])
    except (ValueError, RecursionError):
        return False
    return True


class _Search:
    """The search for the next message after one that has no end."""

    def __init__(self, text: str, end: int, is_message: IsMessage) -> None:
        self._text = text
        self._end = end
        self._is_message = is_message
        self._budget = SCANS * len(text) + FREE_TRIES * TRY

    def next(self, broken: int) -> int:
        """Where the next message begins after the `broken` one; the end of the list when there is none."""
        place = broken + 1
        while self._budget > 0 and (place := self._text.find("{", place, self._end)) >= 0:
            value, after = self._read(place)
            follow = _skip(self._text, after)
            ends = follow == self._end or (follow < self._end and self._text[follow] in ",{")
            if place < after and ends and self._is_message(value) and not self._is_rest(broken, place, after):
                return place
            place += 1
        return self._end

    def _is_rest(self, broken: int, place: int, after: int) -> bool:
        """Whether a message belongs to the broken one: as a member of it, or after an opening bracket too many."""
        before = self._text[broken:place]
        if before.rstrip().endswith(":"):
            return True
        joined = before + self._text[place + 1 : after]
        try:
            value, end = _decode_distinct(joined)
        except (ValueError, RecursionError):
            return False
        return end == len(joined) and self._is_message(value)

    def _read(self, place: int) -> tuple[Any, int]:
        try:
            value, after = _decode(self._text, place)
        except json.JSONDecodeError as error:
            self._budget -= error.pos - place + TRY
        except (ValueError, RecursionError):
            self._budget -= 10 * TRY
        else:
            self._budget -= after - place + TRY
            return value, after
        return None, place


def _part(text: str, value: Any) -> Part:
    raw = _bytes(text)
    if is_deeper(value, DEEPEST):
        return Part(None, without_key(raw), f"nested deeper than {DEEPEST} levels")
    try:
        return Part(from_json(raw, allow_inf_nan=False))
    except ValueError:
        return Part(value, without_key(raw))


def _reason(raw: bytes) -> str:
    try:
        from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        return f"not JSON: {error}"
    return "it does not stand between two commas, as the messages of a list do"
