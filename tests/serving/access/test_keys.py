"""Keys: only those we issued open, as long as they last, and a faulty file changes nothing."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.events import DAY
from serving.access.keys import (
    LONGEST,
    KeyFile,
    Keyring,
    KeysError,
    change_keys,
    issue,
    public_fields,
    read_keys,
    rotated,
    write_keys,
)

NOW = 1_780_000_000_000_000
KEY, TEXT = issue("shop", "write", NOW, None)
RING = Keyring([KEY])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of one key."""
    write_keys(tmp_path / "keys.json", [KEY])
    return tmp_path / "keys.json"


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[[KeyFile], Keyring | None]:
    """Asks a file of keys as if a second had passed."""
    monkeypatch.setattr("serving.access.keys.LOOK_SECONDS", 0.0)
    return lambda file: file.current()


def test_a_key_has_256_random_bits_and_says_what_it_is() -> None:
    word, scope, identity, secret = TEXT.split("_")
    assert (word, scope, identity) == ("wp", "write", KEY.id)
    assert len(bytes.fromhex(secret)) == 32 and len(TEXT) < LONGEST
    assert issue("shop", "write", NOW, None)[1] != TEXT


def test_the_file_holds_no_secret_and_is_for_its_owner_only(path: Path) -> None:
    assert TEXT not in path.read_text() and TEXT.split("_")[3] not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_keys(path) == [KEY]
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"]
    assert "sha256" not in public_fields(KEY)


@given(st.binary(max_size=200) | st.text(max_size=90).map(str.encode))
def test_nothing_but_the_key_is_the_key(text: bytes) -> None:
    assert RING.match(text, NOW) is None


@given(st.integers(0, len(TEXT) - 1), st.integers(1, 255))
def test_a_key_with_one_byte_changed_is_unknown(place: int, change: int) -> None:
    changed = bytearray(TEXT.encode())
    changed[place] ^= change
    assert RING.match(bytes(changed), NOW) is None
    assert RING.match(TEXT.encode(), NOW) is KEY
    assert RING.match(TEXT.encode() + b"0", NOW) is None


def test_an_unknown_id_takes_the_path_of_a_wrong_secret(compared: list[tuple[int, int]]) -> None:
    for text in (TEXT, TEXT[:-1] + "x", "wp_write_00000000_" + "0" * 64, "wp_write", "", "é" * 300):
        RING.match(text.encode(), NOW)
    assert compared == [(32, 32)] * 6


def test_a_key_expires() -> None:
    key, text = issue("shop", "read", NOW, NOW + DAY)
    ring = Keyring([key])
    assert ring.match(text.encode(), NOW + DAY - 1) is key
    assert ring.match(text.encode(), NOW + DAY) is None


def test_rotation_keeps_the_old_key_for_the_grace() -> None:
    keys, new, text = rotated([KEY], KEY.id, NOW + DAY, grace=DAY)
    ring = Keyring(keys)
    assert (new.name, new.scope, new.expires) == ("shop", "write", None)
    assert ring.match(text.encode(), NOW + 3 * DAY) is new
    assert ring.match(TEXT.encode(), NOW + 2 * DAY - 1) is not None
    assert ring.match(TEXT.encode(), NOW + 2 * DAY) is None
    with pytest.raises(KeysError, match=new.id):
        rotated(keys, KEY.id, NOW + DAY, grace=DAY)
    with pytest.raises(KeysError, match="waypost keys list"):
        rotated(keys, "nothing", NOW + DAY, grace=DAY)


def test_rotation_gives_as_long_as_before_and_never_lengthens_the_old_key() -> None:
    short, _ = issue("shop", "read", NOW, NOW + 3 * DAY)
    (old, new), made, _ = rotated([short], short.id, NOW + 2 * DAY, grace=30 * DAY)
    assert (old.expires, new.expires, made) == (NOW + 3 * DAY, NOW + 5 * DAY, new)
    with pytest.raises(KeysError, match="expired"):
        rotated([short], short.id, NOW + 3 * DAY, grace=DAY)


def test_commands_at_once_lose_no_key(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys.json"
    made = [issue(f"shop-{number}", "write", NOW, None)[0] for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: change_keys(path, lambda keys: [*keys, key]), made))
    assert sorted(key.id for key in read_keys(path)) == sorted(key.id for key in made)


def test_a_file_that_others_can_read_is_refused_with_the_command_that_helps(path: Path) -> None:
    path.chmod(0o640)
    with pytest.raises(KeysError, match=f"chmod 600 {path}"):
        read_keys(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"keys": 7}',
        '{"keys": [{}]}',
        json.dumps({"keys": [{**public_fields(KEY), "sha256": "00"}]}),
        json.dumps({"keys": [{**public_fields(KEY), "sha256": "0" * 64, "scope": "root"}]}),
        json.dumps({"keys": [{**public_fields(KEY), "sha256": "0" * 64, "created": "2026-05-28"}]}),
    ],
)
def test_a_broken_file_keeps_the_keys_last_read(
    path: Path, look: Callable[[KeyFile], Keyring | None], content: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = KeyFile(path)
    assert look(file) is not None and not file.problem
    good = path.read_bytes()
    path.write_text(content)
    for _ in range(3):
        ring = look(file)
        assert ring is not None and ring.match(TEXT.encode(), NOW) == KEY
    assert str(path) in file.problem
    assert [each.levelno for each in caplog.records].count(logging.WARNING) == 1
    path.write_bytes(good)
    assert look(file) is not None and not file.problem


def test_a_file_that_is_gone_opens_nothing_to_strangers(path: Path, look: Callable[[KeyFile], Keyring | None]) -> None:
    file = KeyFile(path)
    look(file)
    path.unlink()
    ring = look(file)
    assert ring is not None and ring.match(TEXT.encode(), NOW) == KEY and "gone" in file.problem
    write_keys(path, [])
    ring = look(file)
    assert ring is not None and len(ring) == 0 and not file.problem


def test_a_file_that_never_could_be_read_knows_no_key(path: Path) -> None:
    path.chmod(0o644)
    file = KeyFile(path)
    ring = file.current()
    assert ring is not None and len(ring) == 0 and not file.ever_read
    assert KeyFile(path.parent / "none.json").current() is None


def test_a_change_of_the_same_size_and_date_is_seen(path: Path, look: Callable[[KeyFile], Keyring | None]) -> None:
    file, dates = KeyFile(path), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    look(file)
    other, text = issue("shop", "write", NOW, None)
    write_keys(path, [other])
    os.utime(path, ns=dates)
    ring = look(file)
    assert ring is not None and ring.match(text.encode(), NOW) == other


def test_the_digest_is_of_the_whole_text() -> None:
    assert KEY.digest == hashlib.sha256(TEXT.encode()).digest()
