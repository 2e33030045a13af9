"""How often one caller may send requests, and how deep a body may be nested."""

from __future__ import annotations

import math
import re

from features.sources.readers.broken_json import DEEPEST
from serving.http.problems import Problem

BURST_SECONDS = 2.0
"""The burst that a caller may send after a pause, in seconds of the rate."""

MOST_BUCKETS = 4096

MOST_REPEATED = 16 << 20
"""Most bytes of a body's shared part, counted once per record that keeps a copy of it."""


class RateLimit:
    """A token bucket per caller: `rate` requests a second, with bursts of `BURST_SECONDS` times as many.

    `rate` 0 limits nothing. The number of buckets is bounded: beyond `MOST_BUCKETS` the oldest one is dropped,
    which can only be to its caller's advantage.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._burst = max(1.0, rate * BURST_SECONDS)
        self._buckets: dict[str, list[float]] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: str, now: float) -> None:
        """Count one request of `caller` at `now`, in seconds of any steady clock. Raises `Problem` `rate_limited`."""
        if not self.rate:
            return
        bucket = self._buckets.get(caller)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[caller] = [self._burst, now]
        tokens = min(self._burst, bucket[0] + (now - bucket[1]) * self.rate)
        bucket[1] = now
        if tokens < 1.0:
            bucket[0] = tokens
            raise self._refused(tokens)
        bucket[0] = tokens - 1.0

    def _refused(self, tokens: float) -> Problem:
        wait = str(max(1, math.ceil((1.0 - tokens) / self.rate)))
        return Problem(
            "rate_limited",
            f"More than {self.rate:g} requests a second came from this caller to one worker; nothing was done. Send "
            f"the request again in {wait} s.",
            headers={"Retry-After": wait, "X-RateLimit-Reset": wait},
        )


def repeats_too_much(shared: bytes, records: int) -> bool:
    """Whether a copy of `shared` with each of so many records would multiply the size of the body too much."""
    return records > 1 and len(shared) * records > MOST_REPEATED


_KEPT = b'[]{}"'
_OTHERS = bytes(set(range(256)) - set(_KEPT))
_ALIKE = bytes.maketrans(b"{}", b"[]")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def too_deep(body: bytes) -> bool:
    """Whether `body` has more than `DEEPEST` objects and lists within each other.

    Bodies with few brackets are accepted at once. Where no text holds a quote or a bracket, which shows because every
    two quotes are adjacent, innermost pairs are removed level by level; other bodies are read token by token, some
    thirty times as slowly.
    """
    brackets = body.translate(_ALIKE, _OTHERS)
    if brackets.count(b"[") <= DEEPEST:
        return False
    brackets = brackets.replace(b'""', b"")
    # A search for one byte costs a fraction of a search for two.
    if b'"' in brackets or (b"\\" in body and b'\\"' in body):
        return _deepest(body) > DEEPEST
    for _ in range(DEEPEST):
        rest = brackets.replace(b"[]", b"")
        if len(rest) == len(brackets):
            break
        brackets = rest
    return bool(brackets) and _deepest(body) > DEEPEST


def _deepest(body: bytes) -> int:
    """The depth of `body`, read until it is beyond `DEEPEST`."""
    depth = 0
    for token in _TOKEN.finditer(body):
        first = body[token.start()]
        if first in b"[{":
            depth += 1
            if depth > DEEPEST:
                return depth
        elif first in b"]}":
            depth -= 1
            if depth < 0:
                return 0  # not JSON: parsing will fail
    return depth
