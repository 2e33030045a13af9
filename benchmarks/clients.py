"""A small HTTP client with persistent connections. It times requests from when they were due, not from when they were
sent, so that the time for which a stalled server delays later requests is counted, too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass
class Seen:
    """The results of the requests of one kind: their times in milliseconds, and the answers that were not 2xx."""

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Connection:
    """One connection to a server on loopback, opened again when it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises OSError or IncompleteReadError when there is none."""
        reader, writer = self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
        try:
            more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
            writer.write(
                f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{more}"
                f"content-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            answer = await reader.readexactly(int(length or 0))
            if b"\r\nconnection: close" in head:
                self.close()
            return int(head.split(b" ", 2)[1]), answer
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._streams:
            self._streams[1].close()
            self._streams = None


async def ask_at_rate(
    port: int, path: str, body: Callable[[int], bytes], per_second: float, seconds: float, connections: int
) -> Seen:
    """Send `body(0)`, `body(1)`... at an even rate for so many seconds, without waiting for earlier answers."""
    seen = Seen()
    begun = time.perf_counter() + 0.05
    total = int(per_second * seconds)
    numbers = iter(range(total))

    async def work() -> None:
        connection = Connection(port)
        for number in numbers:
            due = begun + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            try:
                status, _ = await asyncio.wait_for(connection.post(path, body(number)), 30)
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                seen.errors.append(type(error).__name__)
                continue
            seen.milliseconds.append((time.perf_counter() - due) * 1000)
            if not 200 <= status < 300:
                seen.errors.append(str(status))
        connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return seen
