"""A visitor's token: the shop signs it for one customer and a short time, for requests of that customer's browser.

It is a JSON Web Token of the algorithm HS256 (RFC 7519), made with a key of the scope `sign`: its text is the secret,
its id the `kid`. The claim `sub` names the customer, `iat` and `exp` say from when to when, in seconds since the epoch;
other claims are ignored. The server keeps no tokens: a token is valid until `exp`, or until its key is revoked.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

LONGEST_SECONDS = 3600
"""How long a token may be valid, from `iat` to `exp`."""

SKEW_SECONDS = 60
"""By how much the shop's clock may be ahead of ours."""

LONGEST = 2048
"""Bytes of a token; a token of `sign_token` has some 250."""

MOST_CHARACTERS = 200
"""Characters of a customer's id."""

LATEST = 1e10
"""Times in a token must be below this, in seconds since 1970: it refuses times in milliseconds."""

_FORM = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_NOBODY = secrets.token_bytes(32)


class TokenError(ValueError):
    """A token that is refused; the message says why, and what to do."""


def looks_like_token(text: bytes) -> bool:
    """Whether a text is meant as a token: the JSON of its first part begins with `{"`."""
    return text.startswith(b"eyJ")


def sign_token(customer: str, key: str, secret: bytes, now: int, seconds: int) -> str:
    """A token for `customer`, valid for `seconds` from `now`, which is in seconds since the epoch."""
    claims = {"sub": customer, "iat": now, "exp": now + seconds}
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': key})}.{_encoded(claims)}"
    signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{_base64(signature)}"


def read_token(text: bytes, secret_of: Callable[[str], bytes | None], now: float) -> str:
    """The customer that a token names. `secret_of` gives the secret of a key by its id, None for no such key.

    `now` is in seconds since the epoch. Raises `TokenError`. No claim is read before the signature is checked.
    """
    if len(text) > LONGEST or not _FORM.fullmatch(text):
        raise TokenError("it is no token: expected three parts of base64url, separated by dots")
    signed, _, signature = text.rpartition(b".")
    head, _, body = signed.partition(b".")
    kid = _signed_by(_decoded(head))
    secret = secret_of(kid)
    wanted = hmac.digest(secret or _NOBODY, signed, hashlib.sha256)
    same = hmac.compare_digest(wanted, _bytes(signature))
    if not same or secret is None:
        raise TokenError("its signature is not by a key of the scope `sign`; `waypost keys list` shows the keys")
    return _customer(_decoded(body), now)


def _signed_by(head: Any) -> str:
    if not isinstance(head, dict) or head.get("alg") != "HS256" or "crit" in head:
        raise TokenError("its header is not of the algorithm HS256")
    if not isinstance(head.get("kid"), str):
        raise TokenError("its header names no key; set `kid` to the id of the key that signs")
    return str(head["kid"])


def _customer(claims: Any, now: float) -> str:
    if not isinstance(claims, dict):
        raise TokenError("its claims are not a JSON object")
    customer, issued, expires = claims.get("sub"), _time(claims, "iat"), _time(claims, "exp")
    if not isinstance(customer, str) or not 0 < len(customer) <= MOST_CHARACTERS:
        raise TokenError(f"`sub` must be the customer's id, a text of up to {MOST_CHARACTERS} characters")
    if issued > now + SKEW_SECONDS:
        raise TokenError(f"it is valid only in {issued - now:.0f} s; check that the clocks agree")
    if expires <= now:
        raise TokenError(f"it expired {now - expires:.0f} s ago; have the shop sign a new one")
    if expires - issued > LONGEST_SECONDS:
        raise TokenError(f"it is valid for {expires - issued:.0f} s; {LONGEST_SECONDS} s are the most")
    return customer


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < LATEST:
        raise TokenError(f"`{name}` must be a number of seconds since 1970")
    return float(value)


def _decoded(part: bytes) -> Any:
    try:
        return json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise TokenError("a part of it is not JSON in base64url") from None


def _bytes(part: bytes) -> bytes:
    try:
        return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error:
        raise TokenError("a part of it is not base64url") from None


def _encoded(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
