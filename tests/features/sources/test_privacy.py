from __future__ import annotations

import hashlib
import hmac
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.events import Event, Kind
from features.sources import SOURCES, BadRecord
from features.sources.fields.privacy import DEFAULT, MOST_DEPTH, NAMES, Privacy
from features.sources.formats.segment import parse
from tests.features.sources.ledger import NOW, take

PERSONAL = {
    "email": "ada@lovelace.example",
    "phone": "+44 20 7946 0018",
    "firstName": "Ada",
    "last_name": "Lovelace",
    "fullName": "Ada Lovelace",
    "address": {"street": "12 St James's Square", "city": "London"},
    "ip": "192.0.2.7",
    "birthday": "1815-12-10",
    "userAgent": "Mozilla/5.0 (X11; Ada)",
    "access_token": "s3cr3t",
    "avatar": "https://faces.example/ada.png",
    "username": "countess",
}
"""What must never be in a log unless the shop says so."""


def event(properties: dict[str, Any], kind: Kind = Kind.ITEM_VIEW) -> Event:
    return Event("m", "ada", kind, NOW, NOW, properties=properties)


def cleaned(properties: dict[str, Any], kind: Kind = Kind.ITEM_VIEW, privacy: Privacy = DEFAULT) -> tuple[Any, int]:
    kept, dropped = privacy.clean(event(properties, kind))
    return kept.properties, dropped


def test_what_commerce_needs_is_kept_as_it_is() -> None:
    properties = {
        "name": "Lamp",
        "price": 24.9,
        "currency": "EUR",
        "campaign": {"name": "spring", "source": "google"},
        "products": [{"product_id": "L1", "name": "Lamp", "quantity": 2}],
        "anonymous_id": "a@b.example",
        "productId": "L1",
    }
    given = event(properties)
    assert DEFAULT.clean(given) == (given, 0)
    assert DEFAULT.clean(given)[0] is given
    nothing = event({})
    assert DEFAULT.clean(nothing)[0] is nothing


@pytest.mark.parametrize("name", PERSONAL)
def test_what_is_personal_is_dropped_wherever_it_stands(name: str) -> None:
    value = PERSONAL[name]
    assert cleaned({name: value, "price": 3}) == ({"price": 3}, 1)
    assert cleaned({"products": [{name: value, "sku": "L1"}]}) == ({"products": [{"sku": "L1"}]}, 1)
    assert cleaned({"campaign": {name: value, "source": "x"}}) == ({"campaign": {"source": "x"}}, 1)
    assert cleaned({"traits": {name: value, "plan": "gold"}}, Kind.IDENTIFY) == ({"traits": {"plan": "gold"}}, 1)


def test_a_name_is_that_of_a_thing_or_it_is_dropped() -> None:
    assert cleaned({"name": "Home"}, Kind.PAGE_VIEW) == ({"name": "Home"}, 0)
    assert cleaned({"name": "Ada"}, Kind.SIGN_UP) == ({}, 1)
    assert cleaned({"traits": {"name": "Ada"}}, Kind.IDENTIFY) == ({"traits": {}}, 1)
    assert cleaned({"name": "Ada"}, Kind.SIGN_UP, Privacy(keep=("name",))) == ({"name": "Ada"}, 0)


def test_a_shop_keeps_more_names_and_digests_of_others() -> None:
    privacy = Privacy(keep=("Colour Code", "address"), hashed=("email",), key=b"k" * 16)
    given = {"colourCode": "7", "email": " Ada@Lovelace.example ", "traits": {"e-mail": None, "email": 7}, "phone": "1"}
    digest = hmac.new(b"k" * 16, b"ada@lovelace.example", hashlib.sha256).hexdigest()[:32]
    number = hmac.new(b"k" * 16, b"7", hashlib.sha256).hexdigest()[:32]
    expected = {"colourCode": "7", "email": digest, "traits": {"e-mail": None, "email": number}}
    assert cleaned(given, privacy=privacy) == (expected, 1)
    assert cleaned({"address": {"street": "x"}}, privacy=privacy) == ({"address": {}}, 1), "every name is judged"
    assert Privacy(hashed=("email",), key=b"other").digest("a") != privacy.digest("a")
    assert "k" * 16 not in repr(privacy)
    with pytest.raises(ValueError, match="without a key"):
        Privacy(hashed=("email",))


def test_an_address_loses_its_query_and_a_text_with_a_mail_address_goes() -> None:
    url = "https://shop.example/reset?token=s3cr3t&email=ada%40lovelace.example#top"
    assert cleaned({"url": url, "referrer": "/a#b"}) == ({"url": "https://shop.example/reset", "referrer": "/a"}, 0)
    assert cleaned({"url": "https://shop.example/"}) == ({"url": "https://shop.example/"}, 0)
    assert cleaned({"query": "what? #1 at 10%"}) == ({"query": "what? #1 at 10%"}, 0)
    assert cleaned({"query": "orders of ada@lovelace.example", "coupon": "a @ b"}) == ({"coupon": "a @ b"}, 1)
    assert cleaned({"keywords": ["lamp", "ada@lovelace.example"]}) == ({"keywords": ["lamp"]}, 1)
    assert cleaned({"query": "a@b.example"}, privacy=Privacy(keep=("query",))) == ({"query": "a@b.example"}, 0)


def test_a_mail_address_hides_in_no_encoding_of_an_address() -> None:
    assert cleaned({"path": "/reset/ada%40lovelace.example", "referrer": "/50%25-off"}) == (
        {"referrer": "/50%25-off"},
        1,
    )


def test_other_ids_are_kept_only_where_the_log_finds_them_again() -> None:
    given = {"anonymous_id": "v", "previousId": "v", "products": [{"anonymous_id": "v", "sku": "L1"}]}
    assert cleaned(given) == ({"anonymous_id": "v", "products": [{"sku": "L1"}]}, 2)
    assert cleaned({"traits": {"anonymous_id": "v"}, "group_id": "a@b.example"}) == (
        {"traits": {}, "group_id": "a@b.example"},
        1,
    )
    assert cleaned({"campaign": {"previous_id": "v"}, "value": 1}) == ({"campaign": {}, "value": 1}, 1)


def test_a_number_beyond_all_measure_is_nothing() -> None:
    infinite = json.loads('{"value": 1e999, "products": [{"price": -1e999, "tax": 2.5}]}')
    assert cleaned(infinite) == ({"value": None, "products": [{"price": None, "tax": 2.5}]}, 0)
    assert cleaned({"tax": 2.5, "total": math.inf}) == ({"tax": 2.5, "total": None}, 0)


def test_what_is_nested_too_deep_is_a_fault() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return {"value": nested(depth - 1)} if depth > 1 else {"value": 1}

    assert cleaned(nested(MOST_DEPTH)) == (nested(MOST_DEPTH), 0)
    with pytest.raises(BadRecord, match="nested deeper than 32"):
        cleaned(nested(MOST_DEPTH + 1))
    with pytest.raises(BadRecord, match="nested deeper than 32"):
        cleaned({"value": json.loads("[" * 40 + "]" * 40)})


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.just("a@b.cd"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES[:9], *PERSONAL]) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values, st.sampled_from(list(Kind)))
def test_cleaning_is_pure_and_done_once(value: Any, kind: Kind) -> None:
    given_ = {"value": value, "traits": value}
    before = json.dumps(given_)
    once, dropped = DEFAULT.clean(event(given_, kind))
    assert json.dumps(given_) == before, "what was given is not touched"
    assert DEFAULT.clean(once) == (once, 0)
    text = json.dumps(once.properties)
    assert "a@b.cd" not in text
    assert not any(f'"{name}":' in text for name in PERSONAL)
    assert (dropped == 0) == (before == text)


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "complete_journey"])
def test_the_samples_of_every_source_lose_nothing(name: str) -> None:
    report, ledger = take(SOURCES[name].sample, name)
    assert report.dropped == 0
    assert ledger.events


def test_an_import_drops_what_the_server_would_drop() -> None:
    message = {"type": "identify", "userId": "ada", "messageId": "m", "traits": {"plan": "gold", **PERSONAL}}
    (parsed,) = parse(message, NOW)
    kept, dropped = DEFAULT.clean(parsed)
    assert (kept.properties, dropped) == ({"traits": {"plan": "gold"}}, len(PERSONAL))
    assert kept.message_id == parsed.message_id and math.isnan(kept.amount)
