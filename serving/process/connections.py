"""Connections shared evenly among the worker processes, which all accept at one socket.

Any worker may accept a connection, and a worker that is awake accepts all of a burst before the others wake up. Then it
answers everything alone, at half the throughput and several times the delay, for as long as its clients keep their
connections. So a worker that holds more connections than another leaves the next one to the others for a moment.
docs/decisions/0015-connections-shared-evenly.md has the measurements that justify this.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import mmap
import socket
import ssl
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE = "CONNECTIONS"
"""A file beside the scoreboard with a slot for each worker on this machine: how many connections it holds, and when it
last wrote that."""

SLOT = struct.Struct("=qd")
"""The number of connections, and the moment of writing by the monotonic clock of this machine."""

MOST_WORKERS = 128

BEAT_SECONDS = 0.2
SILENT_SECONDS = 1.0
"""A worker that has written nothing for so long hangs or is gone: no connections are left to it."""

LEAVE_SECONDS, MOST_LEFT = 0.001, 4
"""For how long, and how often at most, a connection is left to the others before this worker accepts it."""

EXHAUSTED_SECONDS = 1.0
"""Pause after the system had no resources for another connection."""

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Factory = Callable[[], asyncio.Protocol]


class Shares:
    """How many connections each worker of this machine holds, in a file that all have mapped."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / FILE).open("a+b")
        if self._file.tell() < MOST_WORKERS * SLOT.size:
            self._file.truncate(MOST_WORKERS * SLOT.size)
        self._slots = mmap.mmap(self._file.fileno(), MOST_WORKERS * SLOT.size)
        self._own = self._claim()
        self.held = 0
        self._write(0.0)

    def _claim(self) -> int:
        """Lock the first slot that no living process has. The system frees the lock of a process that dies."""
        for slot in range(MOST_WORKERS):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, SLOT.size, slot * SLOT.size)
                return slot
            except OSError:
                continue
        raise OSError(f"all {MOST_WORKERS} slots of {self._file.name} are in use; run fewer workers")

    def publish(self, more: int = 0) -> None:
        """Write how many connections this worker holds, `more` than before, and that it is alive."""
        self.held += more
        self._write(time.monotonic())

    def is_busier(self) -> bool:
        """Whether another worker that lives holds fewer connections than this one."""
        now = time.monotonic()
        return any(
            held < self.held and abs(now - written) < SILENT_SECONDS
            for slot, (held, written) in enumerate(SLOT.iter_unpack(self._slots))
            if slot != self._own
        )

    def _write(self, moment: float) -> None:
        SLOT.pack_into(self._slots, self._own * SLOT.size, self.held, moment)

    def close(self) -> None:
        """Give the slot back."""
        self._write(0.0)
        self._slots.close()
        self._file.close()


class EvenServer:
    """Accepts at a listening socket when it is this worker's turn; has what uvicorn uses of an `asyncio.Server`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, factory: Factory, listener: socket.socket, shares: Shares,
        tls: ssl.SSLContext | None,
    ) -> None:  # fmt: skip
        self.sockets = (listener,)
        self._loop, self._factory, self._listener, self._shares, self._tls = loop, factory, listener, shares, tls
        self._left = 0
        self._callers: set[socket.socket] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._beat()
        loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Stop accepting; closing twice is harmless. The socket stays open."""
        if self._paused is not None:
            self._paused.cancel()
        self._beating.cancel()
        self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Return when every accepted connection is set up or lost."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _beat(self) -> None:
        self._shares.publish()
        self._beating = self._loop.call_later(BEAT_SECONDS, self._beat)

    def _accept(self) -> None:
        """Accept a waiting connection, or leave it to a less busy worker."""
        if self._left < MOST_LEFT and self._shares.is_busier():
            self._left += 1
            self._pause(LEAVE_SECONDS)
            return
        self._left = 0
        try:
            caller, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another worker was faster, or the caller has gone
            return
        except OSError as error:
            if error.errno == errno.EINVAL:  # the socket was shut down, in every process that shares it
                self._loop.remove_reader(self._listener)
                return
            if error.errno not in _EXHAUSTED:
                raise
            self._pause(EXHAUSTED_SECONDS)
            self._loop.call_exception_handler({"message": "no room for another connection", "exception": error})
            return
        self._callers.add(caller)
        self._shares.publish(1)
        task = self._loop.create_task(self._open(caller))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._paused = self._loop.call_later(seconds, self._loop.add_reader, self._listener, self._accept)

    async def _open(self, caller: socket.socket) -> None:
        caller.setblocking(False)
        if caller.family in (socket.AF_INET, socket.AF_INET6):
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._loop.connect_accepted_socket(lambda: self._counted(caller), caller, ssl=self._tls)
        except BaseException as error:
            self._leave(caller)
            caller.close()
            if not isinstance(error, OSError | EOFError):  # these mean: the caller has gone, or TLS failed
                raise

    def _counted(self, caller: socket.socket) -> asyncio.Protocol:
        """A protocol for a caller, whose connection is counted until it is lost."""
        protocol = self._factory()
        lost = protocol.connection_lost

        def connection_lost(exc: Exception | None) -> None:
            self._leave(caller)
            lost(exc)

        protocol.connection_lost = connection_lost  # type: ignore[method-assign]
        return protocol

    def _leave(self, caller: socket.socket) -> None:
        """Stop counting a caller; calling twice is harmless."""
        if caller in self._callers:
            self._callers.remove(caller)
            self._shares.publish(-1)


def share_evenly(loop: asyncio.AbstractEventLoop, folder: Path) -> None:
    """Let the servers that `loop` creates from now on, on a given socket, accept only their share of connections."""
    shares = Shares(folder)

    async def create_server(
        factory: Factory, *, sock: socket.socket, ssl: ssl.SSLContext | None = None, backlog: int = 100, **_: Any
    ) -> EvenServer:
        sock.setblocking(False)
        sock.listen(backlog)
        return EvenServer(loop, factory, sock, shares, ssl)

    loop.create_server = create_server  # type: ignore[method-assign,assignment]
