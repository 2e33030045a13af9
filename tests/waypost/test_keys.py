"""`waypost keys`: a key is shown once, and a server never stands open to strangers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from serving.access.keys import KeyFile, KeysError, read_keys
from serving.access.visitors import read_token
from waypost import app
from waypost.console import UsageProblem
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


def test_the_first_start_makes_a_key_and_shows_it_where_a_person_looks_on(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = path.with_name("first-key.txt")
    check_keys("0.0.0.0", "http://localhost:3000")
    told = capsys.readouterr().out
    assert scope_of(path, first.read_text().strip()) == "admin"
    assert first.read_text().strip() not in told
    assert f'curl -u "$(cat {first}):" http://localhost:3000' in told and "http://localhost:3000/login" in told
    check_keys("127.0.0.1", "http://localhost:3000")
    assert len(read_keys(path)) == 1
    path.unlink()
    monkeypatch.setattr("waypost.server.out", Console(force_terminal=True))
    check_keys("127.0.0.1", "http://localhost:3000")
    assert first.read_text().strip() in capsys.readouterr().out


def test_a_server_without_keys_has_to_be_asked_for_and_is_for_this_machine_alone(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOST_KEYS", "none")
    for address in ("0.0.0.0", "::", "10.0.0.1"):
        with pytest.raises(UsageProblem, match="--without-keys"):
            check_keys(address, "http://localhost:3000")
    for address in ("127.0.0.1", "::1"):
        check_keys(address, "http://localhost:3000")
        assert "without keys" in capsys.readouterr().out
    assert not path.exists() and not path.with_name("first-key.txt").exists()
    refused = CliRunner().invoke(app, ["keys", "list"])
    assert refused.exit_code == 1 and "WAYPOST_KEYS" in refused.stderr


def test_a_server_is_refused_a_faulty_file_of_keys(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{}")
    path.chmod(0o600)
    with pytest.raises(KeysError, match="not a file of keys"):
        check_keys("127.0.0.1", "http://localhost:3000")


def test_a_visitors_token_is_signed_by_the_newest_key_that_signs(keys: Run, path: Path) -> None:
    refused = keys("token", "--customer", "ann")
    assert refused.exit_code == 1 and "--scope" in refused.stderr
    created(keys)
    assert "--scope sign" in keys("token", "--customer", "ann").stderr.replace("\n", " ")
    old, new = (json.loads(keys("create", "--scope", "sign", "--name", "a", "--json").stdout) for _ in range(2))
    told = json.loads(keys("token", "--customer", "ann", "--minutes", "60", "--json").stdout)
    assert (told["key"], told["seconds"]) == (new["id"], 3600)
    by_name = keys("token", "--customer", "ann", "--key", old["id"]).stdout.strip()
    ring, now = KeyFile(path).current(), time.time()
    assert ring is not None
    for token in (told["token"], by_name):
        assert read_token(token.encode(), lambda key: ring.secret(key, int(now * 1e6)), now) == "ann"
    assert keys("token", "--customer", "ann", "--minutes", "61").exit_code == 2
    assert old["key"] not in keys("list", "--json").output and "secret" not in keys("list", "--json").output
