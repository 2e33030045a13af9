"""How properties are stored, and how names are looked for in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.log.rows import quoted

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_properties_are_stored_as_compact_json_in_ascii(value: object) -> None:
    assert quoted(value) == json.dumps(value, separators=(",", ":"))


def test_half_a_character_is_escaped() -> None:
    assert quoted({"name": "\ud800é"}) == '{"name":"\\ud800\\u00e9"}'


def test_what_is_no_json_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(TypeError, match="not JSON serializable"):
            quoted({"colours": {"red"}})
