"""The first start makes a key for its owner alone, once."""

from __future__ import annotations

import threading
from pathlib import Path

from serving.access.first_key import first_key_path, make_first_key
from serving.access.keys import KeyFile, read_keys

NOW = 1_780_000_000_000_000


def test_the_first_key_opens_everything_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keys.json"
    text = make_first_key(path, NOW)
    assert text is not None and first_key_path(path).read_text().strip() == text
    assert first_key_path(path).stat().st_mode & 0o777 == path.stat().st_mode & 0o777 == 0o600
    ring = KeyFile(path).current()
    key = ring.match(text.encode(), NOW) if ring else None
    assert key is not None and (key.scope, key.expires) == ("admin", None)
    before = path.read_bytes()
    assert make_first_key(path, NOW) is None and path.read_bytes() == before


def test_an_older_file_is_replaced_and_never_read_by_others(tmp_path: Path) -> None:
    old = first_key_path(tmp_path / "keys.json")
    old.write_text("an older key")
    old.chmod(0o644)
    text = make_first_key(tmp_path / "keys.json", NOW)
    assert old.read_text().strip() == text and old.stat().st_mode & 0o777 == 0o600


def test_starts_at_once_make_one_key(tmp_path: Path) -> None:
    made: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: made.append(make_first_key(tmp_path / "keys.json", NOW))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_keys(tmp_path / "keys.json")) == 1
    assert [each for each in made if each] == [first_key_path(tmp_path / "keys.json").read_text().strip()]
