"""Personal fields: which properties of an event may enter the log.

A list of names decides. The names of commerce and of context that the sources document are on it; everything else,
and so every e-mail address, telephone number, name of a person, address, ip, birthday, user agent and token, is
dropped before anything is written. A shop adds names of its own (`keep`), or has a value replaced by its digest under
a key of the shop (`hashed`): equal values then still have equal digests.

- Names are compared without case and without `_`, `-`, `.` and spaces: `firstName` is `first_name`.
- Nested objects and lists are checked by the same list; `traits`, which describe the person, have a shorter list of
  their own.
- `name` is the name of a page, product or promotion, so it is kept for the kinds that have one, and within objects.
- An infinite number (such as `1e999` once it is read), which JSON cannot hold, becomes null.
- Addresses of pages lose what follows `?` and `#`. A text that holds an e-mail address is dropped whatever its name,
  unless the shop keeps that name.
"""

from __future__ import annotations

import hmac
import json
import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any
from urllib.parse import unquote

from features.events import Event, Kind
from features.sources.contract import BadRecord

MOST_DEPTH = 32
"""Objects and lists within one another that a property may have."""

NAMES = (
    # products and lists (Segment's e-commerce v2)
    "product_id", "sku", "category", "name", "brand", "variant", "price", "quantity", "coupon", "position", "url",
    "image_url", "products", "list_id", "filters", "sorts", "type", "value", "query", "promotion_id", "creative",
    # carts, orders, coupons
    "cart_id", "order_id", "checkout_id", "step", "affiliation", "subtotal", "total", "revenue", "shipping", "tax",
    "discount", "currency", "shipping_method", "payment_method", "coupon_id", "coupon_name", "reason", "wishlist_id",
    "wishlist_name", "share_via",
    # reviews, surveys, messages, experiments, errors
    "review_id", "rating", "score", "survey_id", "email_id", "campaign_id", "campaign_name", "link_id", "link_url",
    "experiment_id", "experiment_name", "variation_id", "variation_name", "error_code", "version", "build",
    "from_background",
    # pages and campaigns
    "path", "referrer", "title", "keywords", "campaign", "source", "medium", "term", "content", "id",
    # Google Analytics 4
    "items", "item_id", "item_name", "item_brand", "item_category", "item_category2", "item_category3",
    "item_category4", "item_category5", "item_list_id", "item_list_name", "item_variant", "index", "location_id",
    "promotion_name", "creative_name", "creative_slot", "transaction_id", "payment_type", "shipping_tier",
    "search_term", "method", "content_type", "content_id", "page_location", "page_title", "page_referrer",
    "ga_session_id", "ga_session_number", "session_id", "engagement_time_msec",
    # the other sources
    "store", "store_id", "coupon_upc", "coupon_discount", "retail_discount", "user_session", "traits",
)  # fmt: skip
"""The property names that every shop keeps."""

TRAITS = (
    "plan", "tier", "loyalty_tier", "loyalty_level", "account_type", "customer_type", "industry", "employees",
    "created_at", "language", "locale", "currency", "country", "timezone", "logins", "newsletter", "consent",
    "profiling_consent",
)  # fmt: skip
"""The names that are kept within `traits`."""

IDENTITIES = ("anonymous_id", "previous_id", "group_id", "anonymous")
"""Properties that join ids; always kept at the top level of an event, in this spelling, and dropped when nested."""

_NAMED = frozenset(
    (
        Kind.PAGE_VIEW, Kind.PROMOTION_VIEW, Kind.PROMOTION_CLICK, Kind.LIST_VIEW, Kind.LIST_FILTER, Kind.ITEM_CLICK,
        Kind.ITEM_VIEW, Kind.WISHLIST_ADD, Kind.WISHLIST_REMOVE, Kind.CART_ADD, Kind.CART_REMOVE, Kind.PURCHASED_ITEM,
        Kind.OUT_OF_STOCK,
    )
)  # fmt: skip
_ADDRESSES = frozenset(("url", "imageurl", "linkurl", "path", "referrer", "pagelocation", "pagereferrer"))
_SEPARATORS = str.maketrans("", "", "_-. ")
_MAIL = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")


def _folded(name: str) -> str:
    return name.translate(_SEPARATORS).casefold()


@dataclass(frozen=True)
class Privacy:
    """What a shop keeps beyond `NAMES`, and what it keeps as a digest under its `key`; `hashed` goes first."""

    keep: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()
    key: bytes = field(default=b"", repr=False)
    _kept: frozenset[str] = field(init=False, repr=False, compare=False)
    _hashed: frozenset[str] = field(init=False, repr=False, compare=False)
    _within: frozenset[str] = field(init=False, repr=False, compare=False)
    _traits: frozenset[str] = field(init=False, repr=False, compare=False)
    _plain: frozenset[str] = field(init=False, repr=False, compare=False)
    _named_plain: frozenset[str] = field(init=False, repr=False, compare=False)
    _within_plain: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.hashed and not self.key:
            raise ValueError("properties cannot be hashed without a key")
        hashed = frozenset(map(_folded, self.hashed))
        kept = frozenset(map(_folded, self.keep)) | hashed
        within = frozenset(name for name in NAMES if _folded(name) not in hashed | {"traits"})
        plain = within | {name for name in IDENTITIES if _folded(name) not in hashed}
        for name, value in (
            ("_kept", kept),
            ("_hashed", hashed),
            ("_within", frozenset(map(_folded, NAMES)) | kept),
            ("_traits", frozenset(map(_folded, TRAITS)) | kept),
            ("_plain", plain - {"name"}),
            ("_named_plain", plain),
            ("_within_plain", within),
        ):
            object.__setattr__(self, name, value)

    def keeping(self, names: Iterable[str]) -> Privacy:
        """The same, with more names kept: those that a mapping lists."""
        return Privacy((*self.keep, *names), self.hashed, self.key)

    def clean(self, event: Event) -> tuple[Event, int]:
        """The event with the properties that may be kept, and how many were dropped.

        Raises BadRecord when they are nested deeper than `MOST_DEPTH`.
        """
        given = event.properties
        if not given or _is_plain(
            given, self._named_plain if event.kind in _NAMED else self._plain, self._within_plain
        ):
            return event, 0
        walk = _Walk(self)
        properties = walk.object(given, self._within, 1, event.kind in _NAMED)
        if properties is given:
            return event, 0
        return (
            Event(
                event.message_id, event.customer, event.kind, event.at, event.received, event.channel, event.item,
                event.category, event.quantity, event.amount, event.order_id, event.score, properties,
            ),
            walk.dropped,
        )  # fmt: skip

    def digest(self, value: Any) -> str:
        """HMAC-SHA-256 of a value, 128 bits in hexadecimal. Texts are compared without case and outer spaces."""
        text = value.strip().casefold() if isinstance(value, str) else json.dumps(value, sort_keys=True)
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def _is_plain(given: Mapping[str, Any], plain: frozenset[str], within: frozenset[str] | None) -> bool:
    """Whether a quick check shows that all of an object may be kept; names in nested objects must be in `within`."""
    for name, value in given.items():
        if name not in plain:
            return False
        what = type(value)
        if what is str:
            if "@" in value or (name in _SPELT_ADDRESSES and ("?" in value or "#" in value or "%" in value)):
                return False
        elif what is float:
            if not isfinite(value):
                return False
        elif what is list or (what is dict and (within is None or not _is_plain(value, within, None))):
            return False
    return True


class _Walk:
    """One pass over the properties of an event, counting what it drops. Parts without a change are returned as is."""

    def __init__(self, privacy: Privacy) -> None:
        self.dropped = 0
        self._privacy = privacy

    def object(self, given: Mapping[str, Any], allowed: frozenset[str], depth: int, named: bool) -> Mapping[str, Any]:
        """What may be kept of an object; `named` says whether its `name` is that of a page, product or promotion."""
        kept_properties: dict[str, Any] = {}
        changed = False
        kept_names = self._privacy._kept
        for spelt, value in given.items():
            name = _FOLDED.get(spelt) or _folded(spelt)
            joins = depth == 1 and spelt in IDENTITIES
            if joins and isinstance(value, str) and name not in kept_names:
                kept = value  # an id may look like an e-mail address
            elif not joins and (name not in allowed or (name == "name" and not named and name not in kept_names)):
                kept = _DROPPED
            else:
                kept = self._value(name, value, allowed, depth)
            if kept is _DROPPED:
                self.dropped += 1
                changed = True
                continue
            changed = changed or kept is not value
            kept_properties[spelt] = kept
        return kept_properties if changed else given

    def _value(self, name: str, value: Any, allowed: frozenset[str], depth: int) -> Any:
        privacy = self._privacy
        if name in privacy._hashed:
            return None if value is None else privacy.digest(value)
        if isinstance(value, str):
            return self._text(name, value)
        if isinstance(value, float):
            return value if isfinite(value) else None
        if not isinstance(value, (dict, list)):
            return value
        if depth == MOST_DEPTH:
            raise BadRecord("properties", f"nested deeper than {MOST_DEPTH} levels")
        if isinstance(value, list):
            return self._list(name, value, allowed, depth + 1)
        if name == "traits":
            return self.object(value, privacy._traits, depth + 1, False)
        return self.object(value, allowed, depth + 1, True)

    def _list(self, name: str, given: list[Any], allowed: frozenset[str], depth: int) -> list[Any]:
        values = [self._value(name, value, allowed, depth) for value in given]
        if all(map(operator.is_, values, given)):
            return given
        self.dropped += sum(kept is _DROPPED for kept in values)
        return [kept for kept in values if kept is not _DROPPED]

    def _text(self, name: str, value: str) -> Any:
        if name in _ADDRESSES and ("?" in value or "#" in value):
            value = value.partition("?")[0].partition("#")[0]
        if name in self._privacy._kept:
            return value
        if name in _ADDRESSES and "%" in value and _MAIL.search(unquote(value)):
            return _DROPPED
        if "@" in value and _MAIL.search(value):
            return _DROPPED
        return value


_SPELT_ADDRESSES = frozenset(name for name in NAMES if _folded(name) in _ADDRESSES)
_DROPPED: Any = object()
DEFAULT = Privacy()
"""The rules of a shop without settings of its own."""

_FOLDED = {name: _folded(name) for name in (*NAMES, *TRAITS, *IDENTITIES)}
"""The common names, folded already."""
