"""Hits that GA4's tag in a browser (gtag.js) sends to `/g/collect`, converted to Measurement Protocol requests.

A hit is a form in the query. A request with several events has one line of the body for each, and in the query the
fields that they share. `en` is the event's name, `ep.` and `epn.` begin its parameters (text and numbers), `pr1` to
`pr200` are its products, each a row of two-letter fields between tildes, and the rest are Google's own short names.
Google publishes no description of it; the names are those that its tag sends, as others have listed them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from features.sources.fields.channels import referral

SECRETS = ("api_secret", "ep.api_secret")
"""The fields of a hit that may hold a key: gtag sends each parameter of its `config` with every event."""

_PARAMS = {
    "dl": "page_location",
    "dr": "page_referrer",
    "dt": "page_title",
    "sid": "ga_session_id",
    "cu": "currency",
}
_ITEM = {
    "id": "item_id",
    "nm": "item_name",
    "br": "item_brand",
    "ca": "item_category",
    "c2": "item_category2",
    "c3": "item_category3",
    "c4": "item_category4",
    "c5": "item_category5",
    "va": "item_variant",
    "pr": "price",
    "qt": "quantity",
    "cp": "coupon",
    "ds": "discount",
    "ln": "item_list_name",
    "li": "item_list_id",
    "lp": "index",
    "af": "affiliation",
    "lo": "location_id",
}
_NUMBERS = ("price", "quantity", "discount", "index")
_PRODUCT = re.compile(r"pr([1-9]\d{0,2})")
_FIELD = re.compile(r"(?:[^~]|~~)+")  # a tilde within a value is sent twice
_ANALYTICS_DENIED = re.compile(r"G1.0")
_FIRSTS = (("_fv", "first_visit"), ("_ss", "session_start"))
"""The events that GA4 adds to a hit when it is the first of a browser or of a session."""


def hits(query: str, body: str) -> list[dict[str, str]]:
    """The forms of a request, one for each event: the fields of the query hold for every line of the body."""
    shared = _form(query)
    return [{**shared, **_form(line)} for line in body.splitlines() if line.strip()] or [shared]


def _form(text: str) -> dict[str, str]:
    return dict(parse_qsl(text.strip(), keep_blank_values=True, errors="replace"))


def measured(sent: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The hits as Measurement Protocol requests: consecutive hits with the same head become one request."""
    return [
        {**head, "events": [event for hit in group for event in _events(hit)]}
        for head, group in groupby(sent, key=_head)
    ]


def _head(hit: Mapping[str, str]) -> dict[str, Any]:
    """The customer of a hit, which hit of which page it is, and its consent.

    `npa=1` is `non_personalized_ads`; the last place of `gcs` is the consent to analytics, 0 when denied.
    """
    head: dict[str, Any] = {"client_id": hit.get("cid"), "user_id": hit.get("uid")}
    if "_p" in hit and "_s" in hit:
        head["hit_id"] = f"{hit['_p']}.{hit['_s']}"
    if hit.get("npa") == "1":
        head["non_personalized_ads"] = True
    if _ANALYTICS_DENIED.match(hit.get("gcs", "")):
        head["consent"] = {"ad_personalization": "DENIED"}
    return head


def _events(hit: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The events of a hit; when the visitor has just agreed on the page (`gcu`), the consent comes first."""
    params = _params(hit)
    if hit.get("gcu") == "1":
        yield {"name": "consent_granted", "params": {}}
    for flag, name in _FIRSTS:
        if hit.get(flag) in ("1", "2"):
            yield {"name": name, "params": params}
    items = [
        (int(match[1]), _item(value)) for name, value in hit.items() if (match := _PRODUCT.fullmatch(name)) is not None
    ]
    if items:
        params = {**params, "items": [item for _, item in sorted(items, key=lambda pair: pair[0])]}
    yield {"name": hit.get("en"), "params": params}


def _params(hit: Mapping[str, str]) -> dict[str, Any]:
    params: dict[str, Any] = _visit(hit)
    for name, value in hit.items():
        if name in SECRETS:
            continue
        if name in _PARAMS:
            params[_PARAMS[name]] = value
        elif name.startswith("ep."):
            params[name[3:]] = value
        elif name.startswith("epn."):
            params[name[4:]] = _number(value)
    return params


def _visit(hit: Mapping[str, str]) -> dict[str, Any]:
    """What brought the visit: a named campaign, or a page of another site; empty when the hit does not say."""
    if "cm" in hit:  # without a medium, `cs` and `cn` are slot and name of a promotion's picture
        return {"source": hit.get("cs", ""), "medium": hit["cm"], "campaign": hit.get("cn", "")}
    page, referrer = hit.get("dl", ""), hit.get("dr", "")
    try:
        campaign = parse_qs(urlsplit(page).query, errors="replace")
        host = urlsplit(referrer).hostname
    except ValueError:  # not a valid address
        return {}
    named = {name: campaign[f"utm_{name}"][0] for name in ("source", "medium", "campaign") if f"utm_{name}" in campaign}
    if named:
        return named
    if "gclid" in campaign:
        return {"gclid": campaign["gclid"][0]}
    if referrer and hit.get("ir") != "1" and referral(referrer, page):
        return {"source": host, "medium": "referral"}
    return {}


def _item(text: str) -> dict[str, Any]:
    """One product. Custom fields, which come in pairs (`k0`, `v0`), are not read."""
    item: dict[str, Any] = {}
    for field in _FIELD.findall(text):
        name = _ITEM.get(field[:2])
        if name:
            value = field[2:].replace("~~", "~")
            item[name] = _number(value) if name in _NUMBERS else value
    return item


def _number(text: str) -> float | str:
    """The number of a text; else the text itself, whose fault is reported later."""
    try:
        return float(text)
    except ValueError:
        return text
