"""The client of the mixed benchmark against a real server that is slow, broken or gone, and the claims."""

from __future__ import annotations

import asyncio
import json

import pytest

from benchmarks import mixed
from benchmarks.clients import Seen, ask_at_rate
from benchmarks.mixed import Day


async def _served(statuses: list[int], wait: float) -> Seen:
    remaining = iter(statuses)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
            await asyncio.sleep(wait)
            status = next(remaining)
            if not status:
                break
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        return await ask_at_rate(port, "/", lambda number: b"{}", 50.0, len(statuses) / 50.0, 1)
    finally:
        server.close()


def test_errors_and_broken_connections_are_counted() -> None:
    seen = asyncio.run(_served([200, 503, 0, 200], 0.0))
    assert len(seen.milliseconds) == 3
    assert sorted(seen.errors) == ["503", "IncompleteReadError"]


def test_a_server_that_stands_still_is_charged_for_those_who_waited() -> None:
    seen = asyncio.run(_served([200] * 6, 0.1))
    assert seen.errors == []
    assert max(seen.milliseconds) > 300, "the sixth was due after 100 ms and answered after 600"


def test_the_claims_are_of_the_worst_store(capsys: pytest.CaptureFixture[str]) -> None:
    def day(milliseconds: float, errors: list[str], memory: float) -> Day:
        kinds = dict.fromkeys(mixed.RATES, Seen([1.0] * 90 + [milliseconds] * 10, errors))
        return Day(kinds, memory, 2)

    mixed._report({"sqlite": day(9.0, [], 1.01), "postgresql": day(12.0, ["503"], 1.02)})
    claims = json.loads(capsys.readouterr().out.splitlines()[-1])["claims"]
    assert (claims["p99_score_ms"], claims["sqlite_p99_score_ms"]) == (12, 9)
    assert (claims["errors"], claims["rss_growth_ratio"], claims["training_runs"]) == (3, 1.02, 4)
