"""What the serve benchmark says without a server: a missing tool, wrk's answers, and the claims made of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks import serve
from benchmarks.servers import Load, wrk

WRK = """Running 5s test @ http://127.0.0.1:3000/v1/scores
  1 threads and 16 connections
  Latency Distribution
     50%    1.01ms
     99%  {tail}
  50123 requests in 5.00s, 9.87MB read
{failed}Requests/sec:  10024.60
Transfer/sec:      1.97MB
"""


def test_without_wrk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("sys.argv", ["serve"])
    with pytest.raises(SystemExit, match="apt install wrk"):
        serve.main()


@pytest.mark.parametrize(
    ("tail", "failed", "expected"),
    [
        ("3.25ms", "", Load(10024.6, 3.25, 0)),
        ("840.00us", "", Load(10024.6, 0.84, 0)),
        ("1.20s", "  Non-2xx or 3xx responses: 17\n", Load(10024.6, 1200.0, 17)),
    ],
)
def test_it_reads_what_wrk_says(monkeypatch: pytest.MonkeyPatch, tail: str, failed: str, expected: Load) -> None:
    answer = subprocess.CompletedProcess([], 0, stdout=WRK.format(tail=tail, failed=failed))
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: answer)
    assert wrk("http://127.0.0.1:1/", Path("script.lua"), 1, 16) == expected


def test_the_claims_are_medians_of_ratios_within_a_round(capsys: pytest.CaptureFixture[str]) -> None:
    loads = {
        "waypost": [Load(4_000, 4.0, 0), Load(2_000, 8.0, 0), Load(4_000, 4.0, 0)],
        "echo": [Load(8_000, 2.0, 0), Load(4_000, 4.0, 0), Load(16_000, 2.0, 0)],
        "bento_noop": [Load(1_000, 40.0, 0), Load(400, 80.0, 0), Load(500, 40.0, 0)],
    }
    serve._report(loads, 2.5)
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    claims = {"throughput_vs_bento_noop": 5.0, "throughput_vs_echo": 0.5, "p99_vs_echo": 2.0, "ready_s": 2.5}
    assert last == {"benchmark": "serve", "claims": claims}
