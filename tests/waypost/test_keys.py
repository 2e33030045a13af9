"""`waypost keys`: a key is shown once, and a server never stands open to strangers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmarks.servers import free_port
from serving.keys import KeyFile, read_keys
from waypost import app
from waypost.server import check_keys

Run = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the keys are."""
    path = tmp_path / "data" / "keys.json"
    monkeypatch.setenv("WAYPOST_KEYS", str(path))
    monkeypatch.setenv("WAYPOST_STORE", f"sqlite:///{tmp_path}/waypost.db")
    return path


@pytest.fixture
def keys(path: Path) -> Run:
    """Runs a command of `waypost keys`."""
    return lambda *words: CliRunner().invoke(app, ["keys", *map(str, words)])


def created(keys: Run, *more: str) -> dict[str, Any]:
    """A key, as the command tells it to machines."""
    result = keys("create", "--scope", "write", "--name", "shop", "--json", *more)
    assert result.exit_code == 0, result.output
    made: dict[str, Any] = json.loads(result.stdout)
    return made


def scope_of(path: Path, text: str) -> str | None:
    """What the key of this text opens at this moment, by the file."""
    ring = KeyFile(path).current()
    key = ring.match(text.encode(), time.time_ns() // 1000) if ring else None
    return key.scope if key else None


def test_a_key_is_shown_once_and_opens(keys: Run, path: Path) -> None:
    made = created(keys)
    assert scope_of(path, made["key"]) == "write"
    assert path.stat().st_mode & 0o777 == 0o600
    told = keys("list")
    assert made["id"] in told.stdout and "shop" in told.stdout
    for output in (told.output, keys("list", "--json").output, path.read_text()):
        assert made["key"] not in output and made["key"].split("_")[3] not in output
    assert "sha256" not in keys("list", "--json").output
    people = keys("create", "--scope", "admin", "--name", "me").stdout.splitlines()
    assert scope_of(path, people[1]) == "admin"


def test_a_key_can_be_given_an_end(keys: Run, path: Path) -> None:
    made = created(keys, "--expires", "0.5")
    (key,) = read_keys(path)
    assert key.expires is not None and key.expires - key.created == 43_200_000_000
    (told,) = json.loads(keys("list", "--json").stdout)["keys"]
    assert (told["id"], told["expired"]) == (made["id"], False)


def test_rotating_shows_a_new_key_and_keeps_the_old_one_for_the_grace(keys: Run, path: Path) -> None:
    old = created(keys)
    new = json.loads(keys("rotate", old["id"], "--grace", "1", "--json").stdout)
    assert scope_of(path, old["key"]) == scope_of(path, new["key"]) == "write"
    last = json.loads(keys("rotate", new["id"], "--grace", "0", "--json").stdout)
    assert (scope_of(path, new["key"]), scope_of(path, last["key"])) == (None, "write")
    again = keys("rotate", old["id"])
    assert again.exit_code == 1 and new["id"] in again.stderr


def test_a_revoked_key_opens_nothing(keys: Run, path: Path) -> None:
    made, other = created(keys), created(keys)
    assert keys("revoke", made["id"]).exit_code == 0
    assert (scope_of(path, made["key"]), scope_of(path, other["key"])) == (None, "write")
    gone = keys("revoke", made["id"])
    assert gone.exit_code == 1 and "waypost keys list" in gone.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("list",), 1, "waypost keys create"),
        (("revoke", "x"), 1, "waypost keys create"),
        (("rotate", "x"), 1, "waypost keys list"),
        (("create", "--scope", "root", "--name", "a"), 2, "scope"),
        (("create", "--scope", "read", "--name", " "), 2, "name"),
        (("create", "--scope", "read", "--name", "a\nb"), 2, "name"),
    ],
)
def test_mistakes_are_told_and_make_no_file(
    keys: Run, path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    result = keys(*words)
    assert result.exit_code == code and told in result.output
    assert not path.exists()


def test_a_file_others_can_read_is_left_alone(keys: Run, path: Path) -> None:
    created(keys)
    path.chmod(0o644)
    before = path.read_bytes()
    for words in (("list",), ("create", "--scope", "read", "--name", "a")):
        result = keys(*words)
        assert result.exit_code == 1 and f"chmod 600 {path}" in result.stderr.replace("\n", "")
    assert path.read_bytes() == before


def test_a_server_for_others_is_refused_without_keys(keys: Run, path: Path) -> None:
    for host in ("0.0.0.0", "::", "10.0.0.1"):
        result = CliRunner().invoke(app, ["serve", "--host", host, "--port", str(free_port())])
        assert result.exit_code == 2 and "waypost keys create" in result.stderr
    for host in ("127.0.0.1", "localhost", "::1"):
        check_keys(host)
    created(keys)
    check_keys("0.0.0.0")
    path.write_text("{}")
    result = CliRunner().invoke(app, ["serve", "--port", str(free_port())])
    assert result.exit_code == 1 and str(path) in result.stderr.replace("\n", "")
