"""waypost serve, waypost rebuild: the server, and the states it reads."""

from __future__ import annotations

import os
import socket
import sys
from typing import Annotated

import typer

from waypost.console import JsonOption, StoreOption, UsageProblem, clock, out, print_json, print_line, progress_bar

PortOption = Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")]


def serve(
    port: PortOption = 3000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; default: WAYPOST_WORKERS, or 2.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    store: StoreOption = None,
    as_of_last_event: Annotated[
        bool | None,
        typer.Option(
            "--as-of-last-event/--true-time",
            help="Serve a log of the past as if it ended now, at this and all later starts; default: as before.",
        ),
    ] = None,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Answer this machine alone, without keys.")
    ] = False,
) -> None:
    """Serve scores, recommendations and next best actions over HTTP until it is stopped."""
    from serving.settings import NO_KEYS

    if without_keys:
        os.environ["WAYPOST_KEYS"] = NO_KEYS
    address = address_of(host, port)
    check_place(store, address, port)
    check_keys(address, base_url(host, port))
    set_clock(store, as_of_last_event)
    environment = server_environment(store, workers)
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Waypost", "--host", address]
    out.print(f"serving on {base_url(host, port)} (stop with Ctrl-C)", highlight=False)
    sys.stdout.flush()
    os.execve(sys.executable, [*command, "--port", str(port)], environment)


def set_clock(store: str | None, as_of_last_event: bool | None) -> None:
    """Store the choice of the clock, if one was given, and print how the clock is set."""
    from waypost.clocks import notice, set_ends_now
    from waypost.places import store_url

    if as_of_last_event is not None:
        set_ends_now(store_url(store), as_of_last_event)
    if text := notice(store_url(store)):
        print_line(text)


def address_of(host: str, port: int) -> str:
    """The IP address to listen on for `host`, an address or a name. Raises `UsageProblem`."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise UsageProblem(
            f"{host!r} is no address of this machine: {error.strerror}; expected one such as 127.0.0.1, ::1 or 0.0.0.0"
        ) from None
    # A name may have several addresses; most clients try the one of IPv4.
    *_, place = min(addresses, key=lambda address: address[0] != socket.AF_INET)
    return str(place[0])


def base_url(host: str, port: int) -> str:
    """The URL of a server that listens on `host`."""
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def check_keys(address: str, url: str) -> None:
    """Make the first key if there is none; without keys, refuse an address that other machines can reach.

    The key is printed only on a terminal; elsewhere the output may be stored by others, and only the file has the key.
    """
    from serving.access.first_key import first_key_path, make_first_key
    from serving.access.keys import read_keys
    from serving.access.loopback import is_loopback
    from waypost.places import settings

    path = settings().keys
    if path is None:
        if not is_loopback(address):
            raise UsageProblem(
                f"without keys anybody who reaches {address} could read every customer; leave out --without-keys and "
                "WAYPOST_KEYS=none, or serve with --host 127.0.0.1"
            )
        print_line("without keys: the server answers this machine alone; put no proxy before it")
        return
    first = first_key_path(path)
    made = make_first_key(path, clock())
    read_keys(path)
    if made and out.is_terminal:
        print_line(f"the first key, of the scope admin, shown only this once: {made}")
    if first.exists():
        print_line(f'a key is in {first}: curl -u "$(cat {first}):" {url}/v1/segments; log in with it on {url}/login')


def check_place(store: str | None, host: str, port: int) -> None:
    """Check settings, store and port before the server starts, whose errors would be only in its log."""
    from features.log import open_log, shown
    from waypost.places import store_url

    url = store_url(store)
    log = open_log(url, create=True)
    if not log.count():
        print_line(f"{shown(url)} is empty: send events to POST /v1/events, or stop and run `waypost import`")
    log.close()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageProblem(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
            ) from error


def server_environment(store: str | None, workers: int | None) -> dict[str, str]:
    """The environment of the server: its own scratch folder, the fold compiled beforehand."""
    from features.events import DAY
    from features.journey import JOURNEY
    from waypost.clocks import VARIABLE, shift
    from waypost.places import store_url

    JOURNEY.compile()
    environment = {
        **os.environ,
        "BENTOML_HOME": os.environ.get("BENTOML_HOME", os.path.abspath("data/bentoml")),  # noqa: PTH100
        "WAYPOST_CREATE_STORE": "no",  # `check_place` has created it, and a restarted worker must not
    }
    if store:
        environment["WAYPOST_STORE"] = store
    if moved := shift(store_url(store)):
        environment[VARIABLE] = repr(moved / DAY)
    if workers:
        environment["WAYPOST_WORKERS"] = str(workers)
    return environment


def rebuild(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Replay the log into every customer's state: after a change of features, or whenever in doubt."""
    from waypost.places import engine_of

    engine = engine_of(store)
    try:
        with progress_bar("rebuilding states") as progress:
            number = engine.states.rebuild(progress)
    finally:
        engine.states.close()
    if as_json:
        print_json({"customers": number, "fingerprint": engine.fold.fingerprint})
    else:
        out.print(f"{number:,} customers rebuilt with features {engine.fold.fingerprint}", highlight=False)
