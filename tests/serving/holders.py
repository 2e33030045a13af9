"""Who holds which key, and what they send."""

from __future__ import annotations

from features.events import DAY
from serving.access.keys import Key, issue, write_keys
from serving.access.scopes import KeyScope
from serving.access.visitors import sign_token
from tests.serving.conftest import NOW, Place

EVENT = {"customer": "anna", "kind": "LOGIN"}
MESSAGE = {"userId": "anna", "event": "Product Viewed", "properties": {"product_id": "item-1"}}


class Holders:
    """The keys of a place: one of each scope, one expired, one revoked, one never issued."""

    def __init__(self, place: Place) -> None:
        self.path = place.keys
        self.keys: dict[str, Key] = {}
        self.texts: dict[str, str] = {}
        issued: tuple[tuple[str, KeyScope, int | None], ...] = (
            ("write", "write", None),
            ("decide", "decide", None),
            ("read", "read", NOW + DAY),
            ("metrics", "metrics", None),
            ("sign", "sign", None),
            ("admin", "admin", None),
            ("expired", "admin", NOW),
            ("revoked", "admin", None),
            ("foreign", "admin", None),
        )
        for name, scope, expires in issued:
            self.keys[name], self.texts[name] = issue(name, scope, NOW - DAY, expires)
        self.save("write", "decide", "read", "metrics", "sign", "admin", "expired")

    def save(self, *names: str) -> None:
        """Write the file anew, with the keys of these names."""
        write_keys(self.path, [self.keys[name] for name in names])

    def token(self, customer: str, now: int = NOW, seconds: int = 600) -> str:
        """A visitor's token."""
        key = self.keys["sign"]
        return sign_token(customer, key.id, key.secret or b"", now // 1_000_000, seconds)

    def bearer(self, name: str) -> dict[str, str]:
        """The headers of a holder."""
        return {"authorization": f"Bearer {self.texts[name]}"}
