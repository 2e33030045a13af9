"""A minimal server that stops while clients connect, and the number of clients that it cuts off."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence

from serving.process.shutdown import SETTLE_SECONDS, hold, shut

CLIENTS = 8
ANSWER_SECONDS = 0.002
"""The time of an answer: long enough that some clients wait in the socket's queue."""


def cut_off(*, filtered: bool) -> int:
    """The number of clients, asking without pause, that the stop cuts off: connected by the system, never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        lost: list[int] = []
        clients = [threading.Thread(target=_ask, args=(listening.getsockname(), lost)) for _ in range(CLIENTS)]
        server = threading.Thread(target=_answer, args=(listening,))
        for thread in (server, *clients):
            thread.start()
        time.sleep(0.3)
        if filtered:
            hold(listening)
            time.sleep(SETTLE_SECONDS)
        shut([listening.dup()])
        _join((server, *clients))
    return len(lost)


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


def _answer(listening: socket.socket) -> None:
    while True:
        try:
            caller, _ = listening.accept()
        except OSError:  # the socket was shut
            return
        with caller:
            time.sleep(ANSWER_SECONDS)
            caller.sendall(b"answer")


def _ask(address: tuple[str, int], lost: list[int]) -> None:
    while True:
        try:
            connection = socket.create_connection(address, timeout=10)
        except ConnectionRefusedError:  # as a client can tell
            return
        with connection:
            try:
                answered = connection.recv(6) == b"answer"
            except OSError:
                answered = False
        if not answered:
            lost.append(1)
