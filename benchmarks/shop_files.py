"""Files of a shop in the forms that shops have: REES46's CSV, Segment's messages, GA4's rows, and a table of its own.

All are deterministic and in order of time. The CSV repeats REES46's own rows, with new customers, sessions and times,
where `WAYPOST_SHARED_DATA` names a folder that has them; else its rows are drawn.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl

START = datetime(2025, 1, 1, tzinfo=UTC)
PRODUCTS = 20_000
PART = 1_000_000
"""Rows of a CSV made and written at a time."""
REPEATED = "rees46_multicategory_oct2019_head.parquet"
CATEGORIES = tuple(
    f"{group}.{kind}"
    for group in ("electronics", "appliances", "furniture", "apparel", "kids")
    for kind in ("audio", "phone", "kitchen", "shoes", "desk", "toys")
)
BRANDS = ("samsung", "apple", "xiaomi", "bosch", "lucente", "sony", "lg", None)
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/124.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4) Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_4) Firefox/125.0",
)
REFERRERS = ("https://www.google.com/", "https://www.facebook.com/", "", "", "https://blog.example.org/best-of")

MAPPING = """
name = "tills"
properties = ["store"]
[columns]
customer = "client"
at = "sold_at"
kind = "action"
item = "sku"
category = "department"
quantity = "pieces"
amount = "cents"
order_id = "receipt"
[kinds]
sale = "PURCHASE"
look = "ITEM_VIEW"
basket = "CART_ADD"
[units]
amount = 0.01
"""


def write_rees46(path: Path, rows: int) -> None:
    """REES46's columns: views, cart additions and purchases."""
    shared = Path(os.environ.get("WAYPOST_SHARED_DATA", "")) / REPEATED
    _write_csv(path, _repeated(pl.read_parquet(shared), rows) if shared.is_file() else _drawn(rows))


def _repeated(known: pl.DataFrame, rows: int) -> Iterator[pl.DataFrame]:
    """The known rows again and again, an hour later each time; four times by the same customers."""
    for number, first in enumerate(range(0, rows, len(known))):
        yield known.head(rows - first).with_columns(
            (pl.col("event_time") + pl.duration(hours=number)).dt.strftime("%Y-%m-%d %H:%M:%S UTC"),
            pl.col("user_id") + number // 4 * 100_000_007 % 400_000_000,
            user_session=pl.lit(f"{number * 2_654_435_761 % 2**32:08x}") + pl.col("user_session").str.slice(8),
        )


def _drawn(rows: int) -> Iterator[pl.DataFrame]:
    """Rows of the same form, drawn."""
    customers = max(rows // 20, 1)
    for first in range(0, rows, PART):
        random, number = np.random.default_rng(first), min(PART, rows - first)
        user = 500_000_000 + np.minimum(random.integers(0, customers, number), random.integers(0, customers, number))
        product = (PRODUCTS * random.random(number) ** 2).astype(np.int64)
        second = (first + np.arange(number)) * (30 * 86_400) // rows
        yield pl.DataFrame(
            {
                "event_time": _spelt(second, "%Y-%m-%d %H:%M:%S UTC"),
                "event_type": random.choice(["view", "cart", "purchase"], number, p=[0.94, 0.035, 0.025]),
                "product_id": 1_000_000 + product,
                "category_id": 2_053_013_555_631_882_655 + product % len(CATEGORIES),
                "category_code": pl.Series(CATEGORIES)[product % len(CATEGORIES)],
                "brand": pl.Series(BRANDS)[product % len(BRANDS)],
                "price": (np.exp(product % 97 / 20) * 10).round(2),
                "user_id": user,
                "user_session": _sessions(user, second),
            }
        )


def _sessions(user: Any, second: Any) -> pl.Series:
    """Texts of the form of a UUID, one for each customer and day."""
    text = pl.Series(user * 1_000 + second // 86_400).cast(pl.String).str.zfill(12)
    return text.str.slice(0, 8) + "-4aaa-4bbb-8ccc-" + text


def write_table(path: Path, rows: int) -> None:
    """A table that `MAPPING` describes: views, baskets, and sales of one line each."""
    _write_csv(path, _tills(rows))


def _tills(rows: int) -> Iterator[pl.DataFrame]:
    customers = max(rows // 15, 1)
    for first in range(0, rows, PART):
        random, number = np.random.default_rng(first), min(PART, rows - first)
        action = random.choice(["look", "basket", "sale"], number, p=[0.6, 0.2, 0.2])
        sku = (PRODUCTS * random.random(number) ** 2).astype(np.int64)
        place = first + pl.int_range(number, eager=True)
        yield pl.DataFrame(
            {
                "client": "c" + pl.Series(random.integers(0, customers, number)).cast(pl.String),
                "sold_at": _spelt((first + np.arange(number)) * (365 * 86_400) // rows, "%Y-%m-%dT%H:%M:%SZ"),
                "action": action,
                "sku": "p" + pl.Series(sku).cast(pl.String),
                "department": pl.Series(CATEGORIES)[sku % len(CATEGORIES)],
                "pieces": 1 + sku % 3,
                "cents": 99 + sku * 7 % 20_000,
                "receipt": pl.select(
                    pl.when(pl.Series(action == "sale")).then("r" + place.cast(pl.String))
                ).to_series(),
                "store": "s" + pl.Series(sku % 40).cast(pl.String),
            }
        )


def _spelt(seconds: Any, form: str) -> pl.Series:
    """Times so many seconds after `START`."""
    return (
        (pl.Series(seconds) * 1_000_000 + int(START.timestamp()) * 1_000_000).cast(pl.Datetime("us")).dt.strftime(form)
    )


def _write_csv(path: Path, parts: Iterator[pl.DataFrame]) -> None:
    with path.open("wb") as file:
        for number, part in enumerate(parts):
            part.write_csv(file, include_header=not number)


def write_segment(path: Path, rows: int) -> None:
    """Segment's messages, as lines of JSON: pages, products, orders with their lines, and who is who."""
    _write_lines(path, (_message(Random(number), number, rows) for number in range(rows)))


def _message(random: Random, number: int, rows: int) -> dict[str, Any]:
    customer = min(random.randrange(max(rows // 15, 1)), random.randrange(max(rows // 15, 1)))
    product, draw = int(PRODUCTS * random.random() ** 2), random.random()
    at = START + timedelta(seconds=365 * 86_400 * number / rows)
    message: dict[str, Any] = {
        "type": "track",
        "messageId": f"ajs-{random.getrandbits(64):016x}-{number}",
        "anonymousId": f"{customer * 2_654_435_761 % 2**32:08x}-4aaa-9bbb-{customer:012x}",
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if customer % 3 == 0:
        message["userId"] = f"u{customer}"
    if draw < 0.42:
        message |= {"type": "page", "properties": {"path": f"/p/{product}", "title": f"Product {product}"}}
    elif draw < 0.98:
        message |= _tracked(random, number, product, draw)
    else:
        message |= {"type": "identify", "userId": f"u{customer}", "traits": {"plan": ("free", "gold")[customer % 2]}}
    message["context"] = {
        "page": {"url": f"https://shop.example/p/{product}", "referrer": REFERRERS[customer % len(REFERRERS)]},
        "userAgent": AGENTS[customer % len(AGENTS)],
        "library": {"name": "analytics.js", "version": "2.1.0"},
    }
    return message


def _tracked(random: Random, number: int, product: int, draw: float) -> dict[str, Any]:
    """What a track message says."""
    order = f"o{number}"
    match draw:
        case _ if draw < 0.70:
            return {"event": "Product Viewed", "properties": _line(product)}
        case _ if draw < 0.83:
            return {"event": "Products Searched", "properties": {"query": f"thing {product % 500}"}}
        case _ if draw < 0.91:
            return {"event": "Product Added", "properties": {"cart_id": order, **_line(product)}}
        case _ if draw < 0.95:
            return {"event": "Checkout Started", "properties": {"order_id": order, "value": 19.9, "currency": "EUR"}}
    lines = [_line(int(PRODUCTS * random.random() ** 2)) for _ in range(random.randrange(1, 4))]
    said = {"order_id": order, "revenue": round(sum(line["price"] for line in lines), 2), "currency": "EUR"}
    return {"event": "Order Completed", "properties": {**said, "products": lines}}


def _line(product: int) -> dict[str, Any]:
    category, price = CATEGORIES[product % len(CATEGORIES)], 1.99 + product % 300
    return {"product_id": f"p{product}", "category": category, "price": price, "quantity": 1, "currency": "EUR"}


def write_ga4(path: Path, rows: int) -> None:
    """Rows of GA4's export, as lines of JSON."""
    _write_lines(path, (_row(Random(number), number, rows) for number in range(rows)))


def _row(random: Random, number: int, rows: int) -> dict[str, Any]:
    name = random.choices(("page_view", "view_item", "add_to_cart", "purchase"), (60, 30, 8, 2))[0]
    product = int(PRODUCTS * random.random() ** 2)
    microsecond = int(START.timestamp()) * 1_000_000 + 365 * 86_400_000_000 * number // rows
    item = {
        "item_id": f"p{product}",
        "item_category": CATEGORIES[product % len(CATEGORIES)],
        "price": 19.5,
        "quantity": 1,
    }
    row: dict[str, Any] = {
        "event_timestamp": str(microsecond),
        "event_name": name,
        "event_params": [
            {"key": "page_location", "value": {"string_value": f"https://shop.example/p/{product}"}},
            {"key": "ga_session_id", "value": {"int_value": str(number // 7)}},
            {"key": "source", "value": {"string_value": "google"}},
            {"key": "medium", "value": {"string_value": "organic"}},
        ],
        "user_pseudo_id": f"{random.randrange(max(rows // 12, 1))}.17{product % 100}",
        "platform": "WEB",
        "items": [] if name == "page_view" else [item],
    }
    if name == "purchase":
        row["ecommerce"] = {"transaction_id": f"t{number}", "purchase_revenue": 19.5}
    return row


def _write_lines(path: Path, records: Iterator[dict[str, Any]]) -> None:
    spell = json.JSONEncoder(separators=(",", ":")).encode
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{spell(record)}\n" for record in records)
