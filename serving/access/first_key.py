"""The first start of a server makes a key and keeps it in a file for its owner: no server lacks keys by accident."""

from __future__ import annotations

import os
from pathlib import Path

from serving.access.keys import Key, change_keys, issue

NAME = "first-key.txt"
"""Beside the file of keys. Whoever can read it can read the store beside it too, so it gives nothing more away."""


def first_key_path(keys: Path) -> Path:
    """Where the first key of a file of keys is kept."""
    return keys.with_name(NAME)


def make_first_key(keys: Path, now: int) -> str | None:
    """The text of a key of the scope `admin`, made where there is no file of keys; None where there is one already."""
    if keys.exists():
        return None
    key, text = issue("first", "admin", now, None)

    def change(others: list[Key]) -> list[Key]:
        if others:  # another start was faster
            return others
        _keep(first_key_path(keys), text)
        return [key]

    change_keys(keys, change)
    return text if first_key_path(keys).read_text(encoding="utf-8").strip() == text else None


def _keep(path: Path, text: str) -> None:
    """Write a file of mode 0600, in the place of any other."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
