"""A synthetic shop's events: deterministic, in arrival order; or, by customer, as a Parquet file of `EVENT`'s columns.

Events come in visits, each with one of a few patterns (a bounce, a search, an order with a coupon...), so that the
order and the mix of kinds are those of shops. Absent numbers and codes are null.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.events import (
    AD_CLICK,
    CART_ADD,
    CART_REMOVE,
    CART_VIEW,
    CHECKOUT_START,
    COUPON_APPLY,
    COUPON_DENY,
    DAY,
    DECISION,
    ERROR,
    EVENT,
    ITEM_CLICK,
    ITEM_VIEW,
    LIST_VIEW,
    LOGIN,
    MESSAGE_CLICK,
    MESSAGE_DELIVER,
    MESSAGE_OPEN,
    NO_CODE,
    ORDER_CANCEL,
    ORDER_DELIVER,
    ORDER_SHIP,
    OUT_OF_STOCK,
    PAGE_VIEW,
    PAYMENT_FAIL,
    PAYMENT_INFO,
    PURCHASE,
    PURCHASED_ITEM,
    REFER,
    REFUND,
    REVIEW,
    REWARD,
    SEARCH,
    SECOND,
    SESSION_START,
    SHARE,
    SIGN_UP,
    SUBSCRIBE,
    SUPPORT_OPEN,
    SUPPORT_RESOLVE,
    SURVEY_CSAT,
    SURVEY_EFFORT,
    SURVEY_NPS,
    UNSUBSCRIBE,
    WISHLIST_ADD,
    WISHLIST_REMOVE,
    Channel,
    Kind,
)  # fmt: skip

START = 1_735_689_600 * SECOND
"""The time of the first event: 2025-01-01."""
SPAN = 364 * DAY
END = START + SPAN
"""The latest time at which an event can arrive."""
ITEMS = 50_000
CATEGORIES = 400
ACTIONS = 18
VERSION = 3
"""The version of the generator, part of the file's name: increase it with every change of the generated events."""

ONLINE = (Channel.WEB, Channel.APP)
REACHED = (Channel.EMAIL, Channel.PUSH)

PATTERNS: tuple[tuple[float, tuple[Kind, ...], tuple[Channel, ...]], ...] = (
    (11, (SESSION_START, PAGE_VIEW), ONLINE),
    (3, (AD_CLICK, SESSION_START, PAGE_VIEW, ITEM_VIEW), (Channel.PAID_SEARCH, Channel.PAID_SOCIAL)),
    (18, (SESSION_START, PAGE_VIEW, LIST_VIEW, ITEM_VIEW, ITEM_VIEW, ITEM_VIEW), ONLINE),
    (9, (SESSION_START, SEARCH, LIST_VIEW, ITEM_CLICK, ITEM_VIEW, ITEM_VIEW, SEARCH, ITEM_VIEW), ONLINE),
    (4, (LOGIN, ITEM_VIEW, ITEM_VIEW, ITEM_VIEW, ITEM_VIEW, WISHLIST_ADD), ONLINE),
    (1, (LOGIN, ITEM_VIEW, WISHLIST_REMOVE, CART_ADD), ONLINE),
    (7, (SESSION_START, SEARCH, ITEM_VIEW, ITEM_VIEW, CART_ADD, CART_VIEW), ONLINE),
    (2, (SESSION_START, CART_VIEW, ITEM_VIEW, CART_ADD, CART_REMOVE), ONLINE),
    (
        5,
        (SESSION_START, ITEM_VIEW, CART_ADD, CART_ADD, CHECKOUT_START, PAYMENT_INFO, PURCHASE, *[PURCHASED_ITEM] * 2),
        ONLINE,
    ),
    (3, (LOGIN, CART_ADD, CHECKOUT_START, COUPON_APPLY, PAYMENT_INFO, PURCHASE, *[PURCHASED_ITEM] * 3), ONLINE),
    (0.5, (CART_ADD, CHECKOUT_START, COUPON_DENY, PAYMENT_FAIL, PURCHASE, PURCHASED_ITEM), ONLINE),
    (5, (PURCHASE, *[PURCHASED_ITEM] * 4), (Channel.STORE,)),
    (5, (ORDER_SHIP, ORDER_DELIVER), (Channel.UNKNOWN,)),
    (10, (MESSAGE_DELIVER,), REACHED),
    (4, (MESSAGE_DELIVER, MESSAGE_OPEN), REACHED),
    (2, (MESSAGE_DELIVER, MESSAGE_OPEN, MESSAGE_CLICK, ITEM_VIEW), REACHED),
    (4, (DECISION,), (*REACHED, Channel.ONSITE)),
    (0.5, (DECISION, REWARD), (*REACHED, Channel.ONSITE)),
    (0.8, (REFUND,), ONLINE),
    (0.3, (ORDER_CANCEL,), ONLINE),
    (0.8, (REVIEW,), ONLINE),
    (0.3, (SHARE,), ONLINE),
    (0.1, (REFER,), ONLINE),
    (0.4, (SURVEY_NPS,), REACHED),
    (0.2, (SURVEY_CSAT, SURVEY_EFFORT), REACHED),
    (0.6, (SUPPORT_OPEN, SUPPORT_RESOLVE), (Channel.CHAT, Channel.CALL_CENTRE)),
    (0.6, (PAGE_VIEW, ERROR), ONLINE),
    (0.6, (ITEM_VIEW, OUT_OF_STOCK), ONLINE),
    (0.6, (SIGN_UP, SUBSCRIBE), ONLINE),
    (0.1, (UNSUBSCRIBE,), (Channel.EMAIL,)),
)
"""For each pattern: its weight among all visits, its kinds of event, and its channels."""

WITH_ITEM = (
    ITEM_CLICK,
    ITEM_VIEW,
    WISHLIST_ADD,
    WISHLIST_REMOVE,
    CART_ADD,
    CART_REMOVE,
    PURCHASED_ITEM,
    REVIEW,
    SHARE,
    OUT_OF_STOCK,
)
WITH_AMOUNT = (
    CART_ADD,
    CART_REMOVE,
    CHECKOUT_START,
    COUPON_APPLY,
    PURCHASE,
    PURCHASED_ITEM,
    REFUND,
    ORDER_CANCEL,
    REWARD,
)
WITH_QUANTITY = (CART_ADD, CART_REMOVE, PURCHASED_ITEM)
SCORES = {REVIEW: (1, 5), SURVEY_NPS: (0, 10), SURVEY_CSAT: (1, 5), SURVEY_EFFORT: (1, 7)}

Columns = dict[str, NDArray[Any]]


def columns_of(events: int, customers: int, seed: int = 1) -> Columns:
    """The columns of so many events in arrival order; customers have codes in the order of their first event."""
    random = np.random.default_rng(seed)
    pattern, lengths = _visits(events, random)
    visit = np.repeat(np.arange(len(pattern)), lengths)[:events]
    step = (np.arange(len(visit)) - np.repeat(np.cumsum(lengths) - lengths, lengths)[:events]).astype(np.int8)
    at = (
        _start_times(random, len(pattern))[visit] + step * random.integers(2 * SECOND, 90 * SECOND, len(pattern))[visit]
    )
    at += random.integers(0, SECOND, events)
    delays = random.integers(0, 3 * SECOND, events)
    late = random.random(events) < 0.02
    delays[late] = random.integers(0, 2 * DAY, int(late.sum()))
    received = np.minimum(at + delays, END)
    at = np.minimum(at, received)
    order = np.argsort(received, kind="stable")
    visit, step = visit[order], step[order]
    weights = random.lognormal(0.0, 1.0, customers)
    owners = random.choice(customers, len(pattern), p=weights / weights.sum()).astype(np.int32)
    places = pattern[visit]
    kind = _table(lambda kinds, channels, k: int(kinds[k]) if k < len(kinds) else 0)[places, step]
    channel = _table(lambda kinds, channels, k: int(channels[k % len(channels)]))[
        places, random.integers(0, 6, len(pattern))[visit]
    ]
    return {
        "at": at[order],
        "received": received[order],
        "customer": by_appearance(owners[visit]),
        "kind": kind,
        "channel": channel,
        **_payload(kind, random),
    }


def _visits(events: int, random: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pattern and the length of as many visits as make at least `events` events."""
    shares = np.array([share for share, _, _ in PATTERNS])
    sizes = np.array([len(kinds) for _, kinds, _ in PATTERNS])
    mean = float((shares * sizes).sum() / shares.sum())
    pattern = random.choice(len(PATTERNS), int(events / mean * 1.05) + 50, p=shares / shares.sum())
    needed = int(np.searchsorted(np.cumsum(sizes[pattern]), events)) + 1
    return pattern[:needed], sizes[pattern[:needed]]


def _start_times(random: np.random.Generator, number: int) -> NDArray[np.int64]:
    """The start times of visits: more and more over the year, and more of them in the evening."""
    day = (np.sqrt(random.uniform(0.2, 1.0, number)) - np.sqrt(0.2)) / (1 - np.sqrt(0.2)) * (SPAN / DAY - 1)
    hour = np.clip(random.normal(16.0, 4.0, number), 0.0, 23.9)
    times: NDArray[np.int64] = START + day.astype(np.int64) * DAY + (hour * (DAY / 24)).astype(np.int64)
    return times


def _table(cell: Callable[[tuple[Kind, ...], tuple[Channel, ...], int], int]) -> NDArray[np.uint8]:
    return np.array([[cell(kinds, channels, k) for k in range(12)] for _, kinds, channels in PATTERNS], np.uint8)


def by_appearance(owners: NDArray[np.int32]) -> NDArray[np.int32]:
    """Codes 0, 1, 2... in the order in which they first appear, as a log gives them."""
    _, first, inverse = np.unique(owners, return_index=True, return_inverse=True)
    codes = np.empty(len(first), np.int32)
    codes[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return codes[inverse]


def _payload(kind: NDArray[np.uint8], random: np.random.Generator) -> Columns:
    """Item, category, quantity, amount and score of each event, absent where its kind carries none."""
    number = len(kind)
    item = np.where(np.isin(kind, WITH_ITEM), (ITEMS * random.power(0.35, number)).astype(np.int32), NO_CODE).astype(
        np.int32
    )
    category = np.where(item >= 0, item % CATEGORIES, NO_CODE).astype(np.int32)
    decided = np.isin(kind, (DECISION, REWARD))
    category[decided] = CATEGORIES + random.integers(0, ACTIONS, int(decided.sum()))
    amount = np.full(number, np.nan)
    paid = np.isin(kind, WITH_AMOUNT)
    amount[paid] = np.round(random.lognormal(3.0, 0.8, int(paid.sum())), 2)
    quantity = np.full(number, np.nan, np.float32)
    counted = np.isin(kind, WITH_QUANTITY)
    quantity[counted] = random.geometric(0.7, int(counted.sum()))
    score = np.full(number, np.nan, np.float32)
    for rated_kind, (lowest, highest) in SCORES.items():
        rated = kind == rated_kind
        score[rated] = random.integers(lowest, highest + 1, int(rated.sum()))
    return {"item": item, "category": category, "quantity": quantity, "amount": amount, "score": score}


def table_of(columns: Columns) -> pa.Table:
    """The columns as an Arrow table, null where a number or code is absent."""
    arrays = {}
    for name in EVENT.names or ():
        if not name.startswith("_"):
            values = columns[name]
            absent = (
                np.isnan(values)
                if values.dtype.kind == "f"
                else values == NO_CODE
                if name in ("item", "category")
                else None
            )
            arrays[name] = pa.array(values, mask=absent)
    return pa.table(arrays)


def parquet_file(events: int, customers: int, folder: Path | None = None, seed: int = 1) -> Path:
    """The path of the file with these events, sorted by customer and, for each, by arrival; written on first use.

    Snappy and row groups of 1 Mi rows are pyarrow's defaults; times are stored as differences, other columns with a
    dictionary.
    """
    folder = folder or Path(tempfile.gettempdir()) / "waypost-benchmarks"
    path = folder / f"events-{events}-{customers}-{seed}-v{VERSION}.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        columns = columns_of(events, customers, seed)
        order = np.argsort(columns["customer"], kind="stable")
        table = table_of({name: values[order] for name, values in columns.items()})
        times = ["at", "received"]
        repeating = [name for name in table.column_names if name not in times]
        pq.write_table(
            table, draft, use_dictionary=repeating, column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED")
        )
        draft.replace(path)
    return path
