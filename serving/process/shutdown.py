"""Graceful shutdown: report not ready, answer requests meanwhile, refuse new connections, and only then finish.

The worker processes share one listening socket with the process that started them. If every worker only stopped
accepting, clients that connect before the last process is gone would wait in vain. So the socket itself is shut down,
unless another worker still listens, because only one process was stopped.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

LOCK = "LISTENING"

SETTLE_SECONDS = 0.6
"""How long the queue of a socket is still emptied after it stopped accepting new connections."""

ORPHAN_SECONDS = 1.0
"""Time between two checks whether the process that started this one is still alive."""

_ATTACH_FILTER = 26
"""Linux: `SO_ATTACH_FILTER`, which Python does not name."""

_RETURN_CONSTANT = 0x06
"""Linux: the instruction of a packet filter that ends it with the number of bytes to let through."""

Stop = Callable[[int, Any], Any]
"""A handler of a signal, as Python calls it."""


class GentleStop:
    """What a worker process does on a stop signal. `begin` is called first, the rest `drain_seconds` later."""

    def __init__(self, folder: Path, drain_seconds: float, begin: Callable[[], None]) -> None:
        self._drain_seconds = drain_seconds
        self._begin = begin
        self._begun = False
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / LOCK).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def install(self) -> None:
        """Replace the framework's signal handlers, which are called in the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            stop = signal.getsignal(number)
            if callable(stop):
                loop.add_signal_handler(number, self._stop, loop, number, stop)
        self._look_for_parent(loop, os.getppid())

    def _look_for_parent(self, loop: asyncio.AbstractEventLoop, parent: int) -> None:
        """A worker whose supervisor was killed would hold the port against the next server: it stops by itself."""
        if os.getppid() == parent and _supervises(parent):
            loop.call_later(ORPHAN_SECONDS, self._look_for_parent, loop, parent)
        else:
            loop.call_soon(signal.raise_signal, signal.SIGTERM)

    def _stop(self, loop: asyncio.AbstractEventLoop, number: int, stop: Stop) -> None:
        """Begin to stop; a second signal stops at once."""
        if self._begun:
            stop(number, None)
            return
        self._begun = True
        self._begin()
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        loop.call_later(self._drain_seconds, self._finish, loop, number, stop)

    def _finish(self, loop: asyncio.AbstractEventLoop, number: int, stop: Stop) -> None:
        loop.set_exception_handler(_without_closed_sockets)
        # The framework's handler is a method of the server, which knows its listening sockets.
        servers = getattr(getattr(stop, "__self__", None), "servers", [])
        sockets = [socket.socket(fileno=os.dup(shared.fileno())) for server in servers for shared in server.sockets]
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another worker still accepts connections
            stop(number, None)
            return
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        for listening in sockets:
            hold(listening)
        loop.call_later(SETTLE_SECONDS, _end, sockets, number, stop)


def _supervises(process: int) -> bool:
    """Whether a process is the framework's supervisor, not the process that adopts orphans."""
    try:
        return b"bentoml" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # not on this system: a worker whose supervisor dies while it starts is then not noticed
        return True


def hold(listening: socket.socket) -> None:
    """Stop new connections while those in the queue can still be accepted: a shutdown would cut those off.

    Neither Python nor a library that we know offers it. Of eight clients that send requests without pause, a stop cuts
    off seven without it, and none with it (`python -m benchmarks.own_ways --parts filter`).
    """
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN_CONSTANT, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(instruction))
    with suppress(OSError):  # not on this system: connections in the queue are then cut off
        listening.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)


def shut(sockets: Sequence[socket.socket]) -> None:
    """Refuse connections from now on, in every process that shares the sockets, and close them here."""
    for listening in sockets:
        with listening, suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def _end(sockets: Sequence[socket.socket], number: int, stop: Stop) -> None:
    """Shut the sockets, then let the framework finish."""
    shut(sockets)
    stop(number, None)


def _without_closed_sockets(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ignore that another worker shut the socket down first, which is no failure."""
    error = context.get("exception")
    if not (isinstance(error, OSError) and error.errno == errno.EINVAL):
        loop.default_exception_handler(context)
