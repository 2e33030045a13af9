"""Keys: their form, the file of their digests, and how a key is recognised.

A key is `wp_SCOPE_ID_SECRET` with a secret of 256 random bits. Only the SHA-256 of its text is kept; a slow hash would
add nothing, because nobody can try 2^256 texts. Of a key of the scope `sign` the text itself is kept, because a
signature is checked by signing again. The file is JSON of mode 0600, replaced as a whole.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from features import files
from features.times import micros, moment
from serving.access.scopes import SCOPES, KeyScope

LOOK_SECONDS = 1.0
"""Least time between two checks of the file."""

LONGEST = 128
"""Bytes of a text that are looked at; a key has 81 at most."""

logger = logging.getLogger("waypost")


class KeysError(ValueError):
    """The file of keys cannot be used; the message says why, and the command that helps."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key that was issued. Times in microseconds since the epoch, UTC; `digest` is the SHA-256 of its text."""

    id: str
    name: str
    scope: KeyScope
    digest: bytes
    created: int
    expires: int | None = None
    successor: str | None = None
    """Id of the key that takes its place, once it was rotated."""
    secret: bytes | None = field(default=None, repr=False)
    """What a key of the scope `sign` signs with: its text. None for the others."""

    def lasts(self, now: int) -> bool:
        """Whether it has not expired."""
        return self.expires is None or now < self.expires


def issue(name: str, scope: KeyScope, now: int, expires: int | None) -> tuple[Key, str]:
    """A new key, and its text: the only time it can be read."""
    identity = secrets.token_hex(4)
    text = f"wp_{scope}_{identity}_{secrets.token_hex(32)}"
    digest, secret = hashlib.sha256(text.encode()).digest(), text.encode() if scope == "sign" else None
    return Key(identity, name, scope, digest, now, expires, secret=secret), text


class Keyring:
    """Keys that can be recognised, as the file held them at one moment."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.id.encode(): key for key in keys}
        # A text with an unknown id is compared with this digest, which no text has, and takes as long as any other.
        self._nobody = Key("", "", "write", secrets.token_bytes(32), 0, expires=0)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, identity: bytes) -> Key | None:
        """The key of this id."""
        return self._keys.get(identity)

    def secret(self, identity: str, now: int) -> bytes | None:
        """What the key of this id signs with, unless it has expired or signs nothing."""
        key = self._keys.get(identity.encode("utf-8", "replace"))
        return key.secret if key and key.lasts(now) else None

    def match(self, text: bytes, now: int) -> Key | None:
        """The key whose text this is, unless it has expired; takes as long for an unknown id as for a wrong secret."""
        text = text[:LONGEST]
        parts = text.split(b"_", 3)
        key = self._keys.get(parts[2] if len(parts) == 4 else b"", self._nobody)
        same = hmac.compare_digest(hashlib.sha256(text).digest(), key.digest)
        return key if same and key.lasts(now) else None


class KeyFile:
    """The keys of a file, which is checked at most once a second and read again when it was replaced.

    A file that cannot be used changes nothing: the keys last read stay in force, and `problem` says what is wrong.
    Where the file could never be read, no key is accepted. Where there never was a file, there are no keys.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self.ever_read = False
        self._ring: Keyring | None = None
        self._stamp: files.Identity | None = None
        self._next_look = float("-inf")

    def current(self) -> Keyring | None:
        """The keys in force; None where no keys were ever configured."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._look()
        return self._ring

    def _look(self) -> None:
        stamp = _stamp(self.path)
        if stamp == self._stamp and not self.problem:
            return
        try:
            if stamp is not None:
                self._ring = Keyring(read_keys(self.path))
                self.ever_read = True
                logger.info("%d keys are in force", len(self._ring))
            elif self._ring is not None:
                raise KeysError(f"{self.path} is gone; put it back, or make keys with `waypost keys create`")
            self._stamp = stamp
            self._tell("")
        except KeysError as error:
            self._ring = self._ring or Keyring(())
            self._tell(str(error))

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            kept = f"; {len(self._ring or ())} keys last read stay in force"
            logger.warning("%s", problem + kept if problem else "the keys can be read again")


def _stamp(path: Path) -> files.Identity | None:
    """What changes when the file is replaced; None when there is none."""
    try:
        path.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return ()  # reading the file gives the reason
    return files.version(path)


def read_keys(path: Path) -> list[Key]:
    """The keys of the file. Raises `KeysError`, also when others than its owner can read it."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise KeysError(f"{path} has mode {mode:04o}, so others can read it; run `chmod 600 {path}`")
            content = file.read()
    except OSError as error:
        raise KeysError(f"{path} cannot be read: {error.strerror}; run `waypost keys list` as its owner") from None
    try:
        return [_parsed(entry) for entry in json.loads(content)["keys"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # The type alone: a message may quote the file.
        raise KeysError(
            f"{path} is not a file of keys ({type(error).__name__}); put a copy of it back, or move it away and make "
            "new keys with `waypost keys create`"
        ) from None


def _parsed(entry: Any) -> Key:
    digest = bytes.fromhex(entry["sha256"])
    if entry["scope"] not in SCOPES or len(digest) != 32 or not all(isinstance(entry[name], str) for name in _TEXTS):
        raise ValueError
    expires, secret = entry.get("expires"), entry["secret"].encode() if entry["scope"] == "sign" else None
    if secret and hashlib.sha256(secret).digest() != digest:
        raise ValueError
    return Key(
        id=entry["id"],
        name=entry["name"],
        scope=entry["scope"],
        digest=digest,
        created=_micros(entry["created"]),
        expires=None if expires is None else _micros(expires),
        successor=entry.get("successor"),
        secret=secret,
    )


_TEXTS = ("id", "name")


def _micros(text: str) -> int:
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError
    return micros(when)


def public_fields(key: Key) -> dict[str, Any]:
    """What may be shown of a key: everything but its digest and its secret."""
    return {
        "id": key.id,
        "name": key.name,
        "scope": key.scope,
        "created": moment(key.created).isoformat(),
        "expires": None if key.expires is None else moment(key.expires).isoformat(),
        "successor": key.successor,
    }


def write_keys(path: Path, keys: Sequence[Key]) -> None:
    """Replace the file by one of mode 0600 that holds `keys`; a reader sees the whole old file or the whole new one."""
    entries = [
        {**public_fields(key), "sha256": key.digest.hex(), **({"secret": key.secret.decode()} if key.secret else {})}
        for key in keys
    ]
    files.replace(path, json.dumps({"keys": entries}, indent=1) + "\n", mode=0o600)


def change_keys(path: Path, change: Callable[[list[Key]], list[Key]]) -> None:
    """Replace the keys of the file by what `change` makes of them; a missing file has none. Raises `KeysError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with files.alone(path.with_name(f".{path.name}.lock")):
        write_keys(path, change(read_keys(path) if path.exists() else []))


def rotated(keys: Sequence[Key], identity: str, now: int, grace: int) -> tuple[list[Key], Key, str]:
    """All keys after the key `identity` was replaced by a new one, the new key, and its text.

    The old key lasts `grace` microseconds more. The new one has its name and scope and is issued for as long as it
    was. Raises `KeysError`.
    """
    old = find(keys, identity)
    if old.successor:
        raise KeysError(f"the key {identity} was rotated already; rotate its successor {old.successor}")
    if not old.lasts(now):
        raise KeysError(f"the key {identity} has expired; make a new one with `waypost keys create`")
    expires = None if old.expires is None else now + old.expires - old.created
    new, text = issue(old.name, old.scope, now, expires)
    ends = now + grace if old.expires is None else min(old.expires, now + grace)
    ending = replace(old, expires=ends, successor=new.id)
    return [ending if key is old else key for key in keys] + [new], new, text


def find(keys: Iterable[Key], identity: str) -> Key:
    """The key of this id. Raises `KeysError`."""
    for key in keys:
        if key.id == identity:
            return key
    raise KeysError(f"there is no key with the id {identity!r}; `waypost keys list` shows the ids")
