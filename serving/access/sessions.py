"""A person's session: who logged in on `/login` with a key that reads may look at the pages, for a while.

The browser holds a cookie in the place of the key: it opens reading alone, by `GET`, ends by itself, and opens nothing
once its key is revoked or expired. It is signed with the digest of the key, so that nothing else need be kept.
"""

from __future__ import annotations

import hashlib
import hmac

from serving.access.keys import Key, Keyring
from serving.access.scopes import OPENS

COOKIE = b"waypost_session"
HOURS = 12

_MICROS = HOURS * 3_600_000_000


def may_log_in(key: Key) -> bool:
    """Whether a key reads. No other opens a session: whoever holds a key can sign with its digest, and write keys
    stand in web pages."""
    return "read" in OPENS[key.scope]


def open_session(key: Key, now: int) -> str:
    """The value of the cookie for the holder of `key`, from `now` on."""
    told = f"{key.id}.{now + _MICROS}"
    return f"{told}.{_signature(key, told.encode())}"


def session_header(value: str, *, secure: bool) -> str:
    """The `Set-Cookie` of a session; `secure` where the browser came by TLS, and is to come by nothing else again.

    No script reads it and no other site's page sends it. It has no path: the browser takes the folder of `/login`,
    which is right below a prefix too.
    """
    return f"{COOKIE.decode()}={value}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"


def read_session(cookies: bytes, ring: Keyring, now: int) -> Key | None:
    """The key whose session the `Cookie` header `cookies` holds, while both last."""
    for cookie in cookies.split(b";"):
        name, _, value = cookie.strip().partition(b"=")
        if name == COOKIE:
            return _key_of(value, ring, now)
    return None


def _key_of(value: bytes, ring: Keyring, now: int) -> Key | None:
    told, _, signature = value.rpartition(b".")
    identity, _, ends = told.partition(b".")
    key = ring.find(identity)
    if key is None or not may_log_in(key) or not hmac.compare_digest(_signature(key, told).encode(), signature):
        return None
    return key if now < int(ends) and key.lasts(now) else None


def _signature(key: Key, told: bytes) -> str:
    return hmac.new(key.digest, b"session:" + told, hashlib.sha256).hexdigest()
