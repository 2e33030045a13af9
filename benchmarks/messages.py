"""The messages that the ingest benchmarks send: Segment messages of a shop's visitors, each with its own id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle

CUSTOMERS = 2_000
VISIT = 8
"""The number of consecutive messages of one customer, as in a visit."""

_ACTS = (
    {"type": "page", "name": "Home", "properties": {"url": "https://shop.example/", "title": "Home"}},
    {"type": "track", "event": "Products Searched", "properties": {"query": "blue shoes"}},
    {"type": "track", "event": "Product List Viewed", "properties": {"list_id": "l-1", "category": "shoes"}},
    {"type": "track", "event": "Product Viewed", "properties": {"product_id": "p-{item}", "category": "shoes"}},
    {
        "type": "track",
        "event": "Product Added",
        "properties": {"cart_id": "c-1", "product_id": "p-{item}", "category": "shoes", "price": 49.9, "quantity": 1},
    },
    {"type": "track", "event": "Checkout Started", "properties": {"value": 49.9, "revenue": 49.9, "currency": "EUR"}},
)
_LIBRARY = {"library": {"name": "analytics-python", "version": "2.4.0"}}
_PRODUCTS = 500


def templates(number: int) -> list[str]:
    """So many messages as JSON, each with the placeholder `@ID@` for its id."""
    return [json.dumps(message) for message, _ in zip(_messages(), range(number), strict=False)]


def _messages() -> Iterator[dict[str, object]]:
    acts = cycle(_ACTS)
    number = 0
    while True:
        customer = (number // VISIT * 7919) % CUSTOMERS
        text = json.dumps(next(acts)).replace("{item}", str(number * 31 % _PRODUCTS))
        yield {**json.loads(text), "messageId": "@ID@", "userId": f"customer-{customer}", "context": _LIBRARY}
        number += 1


def wrk_script(batch: int, name: str) -> str:
    """A script for wrk that posts batches to `/v1/batch`; ids begin with `name`, so that no two runs share an id."""
    count = max(batch, 600)
    halves = [text.split("@ID@") for text in templates(count - count % batch)]
    listed = ",\n".join(f"{{{json.dumps(before)}, {json.dumps(after)}}}" for before, after in halves)
    return f"""\
local messages = {{
{listed}
}}
local place, number = 0, 0
local parts = {{}}
wrk.method = "POST"
wrk.path = "/v1/batch"
wrk.headers["content-type"] = "application/json"
request = function()
  local k = 1
  parts[1] = '{{"batch":['
  for i = 1, {batch} do
    place = place % #messages + 1
    number = number + 1
    local message = messages[place]
    parts[k + 1] = message[1]
    parts[k + 2] = "{name}-" .. number
    parts[k + 3] = message[2]
    parts[k + 4] = ","
    k = k + 4
  end
  parts[k] = ']}}'
  return wrk.format(nil, nil, nil, table.concat(parts, "", 1, k))
end
"""
