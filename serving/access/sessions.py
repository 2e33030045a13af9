"""A person's session: whoever logs in on `/login` with a key that reads may look at the pages for 12 hours.

The browser holds a cookie instead of the key. The cookie allows reading alone, by `GET`, expires by itself, and is void
once its key is revoked or expired. It is signed with the digest of the key, so that the server keeps no sessions.
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
    """Whether a key reads. No other opens a session: whoever holds a key can sign with its digest, and write keys are
    visible in web pages."""
    return "read" in OPENS[key.scope]


def open_session(key: Key, now: int) -> str:
    """The value of the cookie for the holder of `key`, from `now` on."""
    payload = f"{key.id}.{now + _MICROS}"
    return f"{payload}.{_signature(key, payload.encode())}"


def session_header(value: str, *, secure: bool) -> str:
    """The `Set-Cookie` of a session; `secure` where the browser came by TLS, so that it sends the cookie by TLS alone.

    No script reads it and no other site's page sends it. It has no path: the browser uses the folder of `/login`,
    which is right behind a path prefix too.
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
    payload, _, signature = value.rpartition(b".")
    identity, _, ends = payload.partition(b".")
    key = ring.find(identity)
    if key is None or not may_log_in(key) or not hmac.compare_digest(_signature(key, payload).encode(), signature):
        return None
    return key if now < int(ends) and key.lasts(now) else None


def _signature(key: Key, payload: bytes) -> str:
    return hmac.new(key.digest, b"session:" + payload, hashlib.sha256).hexdigest()
