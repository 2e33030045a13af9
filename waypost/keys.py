"""waypost keys: who may send events, who may ask, and who may do everything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from features.events import days
from serving.keys import Key, KeyScope, KeysError, change_keys, find, issue, read_keys, rotated, told
from waypost.console import Failing, JsonOption, UsageProblem, clock, iso, print_json, print_line, print_table
from waypost.places import settings

HOUR = days(1) // 24
LONGEST_NAME = 80

app = typer.Typer(
    name="keys",
    help="Make, list, rotate and revoke the keys that open the server.",
    no_args_is_help=True,
    cls=Failing,
)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the key: `waypost keys list` shows it.")]


@app.command("create")
def create(
    scope: Annotated[KeyScope, typer.Option(help="write sends events, read asks for answers, admin does all.")],
    name: Annotated[str, typer.Option(help="Who will hold it, such as shop.")],
    expires: Annotated[float | None, typer.Option(min=0.001, max=36_500, help="Days until it expires.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it, this once."""
    if not name.strip().isprintable() or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise UsageProblem(f"{name[:100]!r} is no name of a key; expected up to {LONGEST_NAME} printable characters")
    now = clock()
    key, text = issue(name.strip(), scope, now, None if expires is None else now + days(expires))
    change_keys(_path(), lambda keys: [*keys, key])
    _print_key(key, text, as_json)


@app.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """List the keys; what they open the server with is not kept, so it cannot be shown."""
    now, keys = clock(), _existing()
    if as_json:
        print_json({"keys": [{**told(key), "expired": not key.lasts(now)} for key in keys]})
        return
    rows = [
        (key.id, key.name, key.scope, iso(key.created), _ending(key, now), key.successor or "")
        for key in sorted(keys, key=lambda key: key.created)
    ]
    print_table(f"{len(keys)} keys in {_path()}", ("id", "name", "scope", "created", "expires", "successor"), rows)


@app.command("rotate")
def rotate(
    identity: IdArgument,
    grace: Annotated[float, typer.Option(min=0, max=8760, help="Hours the old key still opens.")] = 24.0,
    as_json: JsonOption = False,
) -> None:
    """Make a key in the place of another, which expires after the grace, and print the new one, this once."""
    now, made = clock(), []

    def change(keys: list[Key]) -> list[Key]:
        changed, key, text = rotated(keys, identity, now, round(grace * HOUR))
        made.append((key, text))
        return changed

    change_keys(_path(), change)
    _print_key(*made[0], as_json)


@app.command("revoke")
def revoke(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Take a key out of the file: within a second it opens nothing."""
    gone: list[Key] = []

    def change(keys: list[Key]) -> list[Key]:
        gone.append(find(keys, identity))
        return [key for key in keys if key is not gone[0]]

    _existing()
    change_keys(_path(), change)
    if as_json:
        print_json({"revoked": told(gone[0])})
    else:
        print_line(f"revoked {identity} ({gone[0].name}); running servers refuse it within a second")


def _path() -> Path:
    return settings().keys


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
        answer: dict[str, Any] = {**told(key), "key": text}
        print_json(answer)
        return
    print_line(f"{key.scope} key {key.id} for {key.name}, shown this once:")
    print_line(text)
    print_line(f"its digest is in {_path()}; running servers know it within a second")
