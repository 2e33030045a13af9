"""JSON lines as broken senders, exports and disks make them: good records with something wrong in them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from features.sources import SOURCES

LINE_SOURCES = ("ga4", "measurement", "segment", "waypost")
"""The sources whose files are JSON lines."""

_WORDS = (
    "", " ", "ada", " ada ", "null", "undefined", "00000000-0000", "{{user.id}}", "a@b.example", "x" * 300, "EUR",
    "usd", "Purchase", "PURCHASE", "Order Completed", "purchase", "page", "identify", "alias", "2026-03-01T08:00:00Z",
    "2026-03-01", "1970-01-01", "2999-01-01T00:00:00Z", "12,50 €", "$1,299.00", "NaN", "zero\u0000byte", "half \ud83d",
    "é\u2028", "https://shop.example/?a=b@c.de#x", "DENIED", "WEB", "EMAIL", "L1",
)  # fmt: skip
_NAMES = (
    "type", "event", "userId", "anonymousId", "previousId", "messageId", "properties", "traits", "context", "timestamp",
    "sentAt", "originalTimestamp", "receivedAt", "batch", "customer", "kind", "at", "message_id", "amount", "currency",
    "revenue", "products", "order_id", "quantity", "price", "product_id", "rating", "event_name", "event_timestamp",
    "user_pseudo_id", "user_id", "event_params", "items", "ecommerce", "client_id", "events", "consent", "hit_id",
    "timestamp_micros", "key", "value", "name", "params", "campaign", "page", "referrer", "url", "strange",
)  # fmt: skip

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.sampled_from(_WORDS),
    st.text(max_size=8),
    st.integers(1_600_000_000_000_000, 1_900_000_000_000_000),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def _changed(draw: st.DrawFn, record: Any) -> Any:
    """A record with a few values replaced, left out or added, wherever they are."""
    if isinstance(record, list) and record and draw(st.integers(0, 3)):
        place = draw(st.integers(0, len(record) - 1))
        return [draw(_changed(member)) if number == place else member for number, member in enumerate(record)]
    if not isinstance(record, dict) or not record or not draw(st.integers(0, 5)):
        return draw(values)
    changed = dict(record)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(record)) | st.sampled_from(_NAMES))
        if draw(st.booleans()):
            changed[name] = draw(_changed(record.get(name)))
        else:
            changed.pop(name, None)
    return changed


@st.composite
def _spelt(draw: st.DrawFn, record: Any) -> bytes:
    """A record as text, in one of the ways in which programs write JSON, and some others."""
    text = json.dumps(record, ensure_ascii=draw(st.booleans()))
    raw = text.encode("utf-8", draw(st.sampled_from(("surrogatepass", "replace"))))
    how = draw(st.integers(0, 11))
    if how == 0:
        place = draw(st.integers(0, len(raw)))
        return (
            raw[:place] + draw(st.sampled_from((b"", b"\x00", b"\xff", b"\t", b"\r", b'"', b"}", b"1"))) + raw[place:]
        )
    if how == 1:
        return raw[: draw(st.integers(0, len(raw)))]
    if how == 2:
        return raw[:-1] + b', "messageId": "twice", "customer": "twice", "event_name": "twice"}'
    if how == 3:
        return (
            draw(st.sampled_from((b" ", b"\x0b", b"\xc2\xa0", b"\t")))
            + raw
            + draw(st.sampled_from((b" ", b"\x0c", b"\r")))
        )
    return raw


def _samples(name: str) -> tuple[list[Any], list[Any]]:
    """The records of a source's sample, and those of its broken sample that are JSON."""
    good = SOURCES[name].sample
    records: tuple[list[Any], list[Any]] = [], []
    for path, found in zip((good, good.with_name(f"{name}.broken.jsonl")), records, strict=True):
        for line in path.read_bytes().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return records


def _paid(record: dict[str, Any], currency: str) -> dict[str, Any]:
    """A record with an amount in a currency, wherever its source looks for them."""
    money = {"currency": currency, "revenue": 5, "value": 5}
    given = record.get("properties")
    event = {"name": "purchase", "params": money}
    return {
        **record,
        "properties": {**(given if isinstance(given, dict) else {}), **money},
        "amount": 5,
        "currency": currency,
        "purchase_revenue_usd": 5,
        **({"events": [event]} if "events" in record else {}),
    }


@st.composite
def _line(draw: st.DrawFn, good: list[Any], broken: list[Any]) -> bytes:
    how = draw(st.integers(0, 20))
    if how == 0:
        return draw(
            st.sampled_from((b"", b" ", b"\t\t", b"[]", b"null", b"{}", b"[" * 300, b'{"a":' * 80 + b"1" + b"}" * 80))
        )
    if how == 1:
        return draw(st.binary(max_size=30)).replace(b"\n", b"")
    if how == 2:
        members = draw(st.lists(st.sampled_from(good + broken), max_size=3))
        name = draw(st.sampled_from(("batch", "events")))
        return json.dumps({name: members, "client_id": "c", "sentAt": "2026-03-01T08:00:00Z"}).encode()
    record = draw(st.sampled_from(broken if how == 3 else good))
    if how in range(4, 10):
        record = _paid(record, draw(st.sampled_from(("EUR", "USD", "usd", "€"))))
    if how in range(9, 15):
        record = draw(_changed(record))
    return draw(_spelt(record))


def files(name: str) -> st.SearchStrategy[bytes]:
    """Files of the source of this name; they repeat some of their lines."""
    line = _line(*_samples(name))
    some = st.lists(line, min_size=1, max_size=6)
    lengths = st.sampled_from((0, 1, 3, 8, 16))
    lines = st.tuples(some, lengths).flatmap(
        lambda drawn: st.lists(st.sampled_from(drawn[0]) | line, min_size=drawn[1], max_size=drawn[1])
    )
    ends = st.sampled_from((b"\n", b"\n", b"\r\n"))
    begins = st.sampled_from((b"", b"", b"\xef\xbb\xbf"))
    return st.builds(
        lambda begin, lines, end, last: begin + end.join(lines) + last, begins, lines, ends, ends | st.just(b"")
    )
