from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from features.sources.fields.message_ids import Identities, content_id, of_values

lines = st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), max_size=40)


def names(rows: list[bytes], window: int = 100) -> list[str]:
    identities = Identities("shop", window)
    found = []
    for row in rows:
        identities.raw = row
        found.append(identities())
    return found


@given(lines)
def test_identical_records_are_distinct_and_reading_again_names_them_the_same(rows: list[bytes]) -> None:
    first = names(rows)
    assert len(set(first)) == len(rows)
    assert names(rows) == first


@given(lines, lines)
def test_the_names_of_a_longer_file_begin_with_those_of_the_shorter(rows: list[bytes], more: list[bytes]) -> None:
    assert names(rows + more)[: len(rows)] == names(rows)


def test_an_occurrence_is_counted() -> None:
    first, second, third = names([b"row", b"row", b"row"])
    assert (second, third) == (f"{first}-1", f"{first}-2")


def test_a_name_is_the_digest_of_the_record_on_every_machine() -> None:
    assert names([b"row"]) == [content_id("shop", b"row")] == ["shop-2b8967cdaa5b646a60a9e129"]


def test_memory_is_bounded_by_the_window() -> None:
    identities = Identities("shop", window=10)
    for number in range(1_000):
        identities.raw = b"%d" % number
        identities()
    assert len(identities._recent) + len(identities._older) <= 20


@given(st.integers(1, 9))
def test_a_repetition_within_the_window_is_told_apart(distance: int) -> None:
    rows = [b"x", *(b"%d" % number for number in range(distance)), b"x"]
    assert len(set(names(rows, window=10))) == len(rows)


def test_parts_are_kept_apart() -> None:
    assert content_id("order", "1", "23") != content_id("order", "12", "3")


def test_a_live_record_is_named_by_content_and_moment() -> None:
    one = of_values("waypost", {"customer": "ada", "kind": "LOGIN"}, 5)
    assert one == of_values("waypost", {"kind": "LOGIN", "customer": "ada"}, 5)
    assert one != of_values("waypost", {"customer": "ada", "kind": "LOGIN"}, 6)
