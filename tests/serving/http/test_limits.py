"""Limits: a rate and no more for each caller, in bounded memory; and the depth of a body, exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.readers.broken_json import DEEPEST
from serving.http.limits import BURST_SECONDS, MOST_BUCKETS, RateLimit, too_deep
from serving.http.problems import Problem


def taken(limit: RateLimit, caller: str, times: list[float]) -> int:
    """How many of the requests at `times` pass."""
    passed = 0
    for now in times:
        try:
            limit.take(caller, now)
        except Problem as problem:
            assert problem.code == "rate_limited"
        else:
            passed += 1
    return passed


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 10), max_size=200).map(sorted))
def test_no_caller_gets_more_than_the_rate_and_the_burst(rate: float, times: list[float]) -> None:
    passed = taken(RateLimit(rate), "a", times)
    span = times[-1] - times[0] if times else 0.0
    assert passed <= max(1.0, rate * BURST_SECONDS) + rate * span + 1e-6


def test_who_stays_below_the_rate_is_never_refused() -> None:
    assert taken(RateLimit(100), "a", [number / 99 for number in range(5000)]) == 5000


def test_the_wait_that_is_told_is_enough() -> None:
    limit = RateLimit(0.5)
    limit.take("a", 0.0)
    with pytest.raises(Problem) as refused:
        limit.take("a", 0.0)
    wait = refused.value.headers
    assert wait["Retry-After"] == wait["X-RateLimit-Reset"] == "2"
    limit.take("a", float(wait["Retry-After"]))


def test_one_caller_takes_nothing_from_another_and_0_is_no_limit() -> None:
    limit = RateLimit(1)
    assert taken(limit, "a", [0.0] * 10) == 2
    assert taken(limit, "b", [0.0] * 10) == 2
    assert taken(RateLimit(0), "a", [0.0] * 10_000) == 10_000


def test_the_buckets_are_bounded() -> None:
    limit = RateLimit(10)
    for number in range(3 * MOST_BUCKETS):
        limit.take(f"@10.0.{number}", number / 1000)
    assert len(limit) == MOST_BUCKETS


def depth(value: Any) -> int:
    """Levels of objects and lists, counted on the parsed value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@st.composite
def nested(draw: st.DrawFn) -> Any:
    """A value about as deep as the limit, with brackets and quotes in its texts."""
    texts = st.text(alphabet='[]{}"\\ab', max_size=5)
    value: Any = draw(st.lists(texts, max_size=40))
    for level in range(draw(st.integers(DEEPEST - 3, DEEPEST + 3))):
        beside = draw(texts) if level % 20 == 0 else "[" if level % 7 == 0 else ""
        value = {beside: value, "]": 1} if level % 2 else [beside, value]
    return value


@given(nested(), st.booleans())
def test_too_deep_is_what_it_says(value: Any, ascii_only: bool) -> None:
    assert too_deep(json.dumps(value, ensure_ascii=ascii_only).encode()) == (depth(value) > DEEPEST)


def test_depth_without_texts_is_exact() -> None:
    for levels in (1, DEEPEST - 1, DEEPEST, DEEPEST + 1, 500):
        body = b'{"a":[' * (levels // 2) + b"[" * (levels % 2) + b"]" * (levels % 2) + b"]}" * (levels // 2)
        assert too_deep(body) == (levels > DEEPEST)
    assert not too_deep(json.dumps([{"a": ["b", {}]}] * 5000).encode())


def test_brackets_in_texts_hide_no_depth() -> None:
    assert too_deep(b'["]",' * 80 + b"1" + b"]" * 80)
    assert not too_deep(json.dumps(["["] * 1000).encode())


def test_whatever_comes_is_judged() -> None:
    for body in (b"[" * 1_000_000, b'"' * 1_000_000, b'["' * 300_000, b"]" * 100 + b"[" * 65, b"\\" * 100 + b"[" * 70):
        assert too_deep(body) in (True, False)
    assert too_deep(b"[" * 65)
