"""waypost keys: create, list, rotate and revoke the keys of the server, and sign visitors' tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from features.events import days
from features.times import iso
from serving.access.keys import Key, KeysError, change_keys, find, issue, public_fields, read_keys, rotated
from serving.access.scopes import PURPOSE, SCOPES, KeyScope
from serving.access.visitors import LONGEST_SECONDS, MOST_CHARACTERS, sign_token
from waypost.console import Failing, JsonOption, UsageProblem, clock, print_json, print_line, print_table
from waypost.places import settings

HOUR = days(1) // 24
LONGEST_NAME = 80

app = typer.Typer(
    name="keys",
    help="Create, list, rotate and revoke the keys of the server.",
    no_args_is_help=True,
    cls=Failing,
)

_SCOPES = "; ".join(f"{scope}: {PURPOSE[scope][0]}" for scope in SCOPES)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the key: `waypost keys list` shows it.")]


@app.command("create")
def create(
    scope: Annotated[KeyScope, typer.Option(help=_SCOPES)],
    name: Annotated[str, typer.Option(help="The holder of the key, such as shop.")],
    expires: Annotated[float | None, typer.Option(min=0.001, max=36_500, help="Days until it expires.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key and print it, only this once."""
    if not name.strip().isprintable() or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise UsageProblem(
            f"{name[:100]!r} is not a name for a key; expected up to {LONGEST_NAME} printable characters"
        )
    now = clock()
    key, text = issue(name.strip(), scope, now, None if expires is None else now + days(expires))
    change_keys(_path(), lambda keys: [*keys, key])
    _print_key(key, text, as_json)


@app.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """List the keys without their texts, which are not stored."""
    now, keys = clock(), _existing()
    if as_json:
        print_json({"keys": [{**public_fields(key), "expired": not key.lasts(now)} for key in keys]})
        return
    rows = [
        (key.id, key.name, key.scope, iso(key.created), _ending(key, now), key.successor or "")
        for key in sorted(keys, key=lambda key: key.created)
    ]
    print_table(f"{len(keys)} keys in {_path()}", ("id", "name", "scope", "created", "expires", "successor"), rows)


@app.command("rotate")
def rotate(
    identity: IdArgument,
    grace: Annotated[float, typer.Option(min=0, max=8760, help="Hours for which the old key stays valid.")] = 24.0,
    as_json: JsonOption = False,
) -> None:
    """Replace a key by a new one, and print it, only this once; the old one expires after the grace period."""
    now, made = clock(), []

    def change(keys: list[Key]) -> list[Key]:
        changed, key, text = rotated(keys, identity, now, round(grace * HOUR))
        made.append((key, text))
        return changed

    change_keys(_path(), change)
    _print_key(*made[0], as_json)


@app.command("revoke")
def revoke(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Remove a key from the file; servers refuse it within a second."""
    gone: list[Key] = []

    def change(keys: list[Key]) -> list[Key]:
        gone.append(find(keys, identity))
        return [key for key in keys if key is not gone[0]]

    _existing()
    change_keys(_path(), change)
    if as_json:
        print_json({"revoked": public_fields(gone[0])})
    else:
        print_line(f"revoked {identity} ({gone[0].name}); running servers refuse it within a second")


@app.command("token")
def token(
    customer: Annotated[str, typer.Option(help="The customer of the token.")],
    minutes: Annotated[float, typer.Option(min=0.1, max=LONGEST_SECONDS / 60, help="How long it is valid.")] = 15.0,
    key: Annotated[
        str | None, typer.Option(help="Id of the key that signs; default: the newest of the scope sign.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a visitor's token for one customer, to try what a shop's pages would send."""
    if not 0 < len(customer) <= MOST_CHARACTERS:
        raise UsageProblem(f"a customer's id of {len(customer)} characters; expected 1 to {MOST_CHARACTERS}")
    signing = _signing(key)
    text = sign_token(customer, signing.id, signing.secret or b"", clock() // 1_000_000, round(minutes * 60))
    if as_json:
        print_json({"token": text, "customer": customer, "key": signing.id, "seconds": round(minutes * 60)})
    else:
        print_line(text)


def _signing(identity: str | None) -> Key:
    """The key that signs: the one named, else the newest that lasts. Raises `KeysError`."""
    now, keys = clock(), _existing()
    signing = [
        candidate
        for candidate in ([find(keys, identity)] if identity else keys)
        if candidate.secret and candidate.lasts(now)
    ]
    if not signing:
        wanted = f"the key {identity} signs nothing" if identity else f"no key in {_path()} signs"
        raise KeysError(f"{wanted}; create one that does with `waypost keys create --scope sign --name shop`")
    return max(signing, key=lambda candidate: candidate.created)


def _path() -> Path:
    path = settings().keys
    if path is None:
        raise KeysError("WAYPOST_KEYS is none, so there is no file of keys; unset it, or name a file with it")
    return path


def _existing() -> list[Key]:
    path = _path()
    if not path.exists():
        raise KeysError(
            f"there are no keys yet in {path}; make one with `waypost keys create --scope write --name NAME`"
        )
    return read_keys(path)


def _ending(key: Key, now: int) -> str:
    if key.expires is None:
        return "never"
    return iso(key.expires) + ("" if key.lasts(now) else " (expired)")


def _print_key(key: Key, text: str, as_json: bool) -> None:
    if as_json:
        answer: dict[str, Any] = {**public_fields(key), "key": text}
        print_json(answer)
        return
    print_line(f"{key.scope} key {key.id} for {key.name}, shown only this once:")
    print_line(text)
    print_line(f"its digest is in {_path()}; running servers accept it within a second")
