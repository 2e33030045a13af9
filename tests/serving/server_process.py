"""A server as it runs in production: `bentoml serve` in processes of its own, on a free port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx2

from benchmarks.servers import free_port

ROOT = Path(__file__).parents[2]
READY_SECONDS = 90.0


class Server:
    """A running server; `log` is where it writes what it has to say.

    BentoML starts it; with a `host`, `waypost serve` does, as a user would.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        bento: str = "serving.service:Waypost",
        base: Mapping[str, str] = os.environ,
        host: str | None = None,
    ) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"server-{self.port}.log"
        home = folder / "bentoml"
        home.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "bentoml", "serve", bento, "--host", "127.0.0.1", "--port", str(self.port)]
        if host is not None:
            command = [sys.executable, "-m", "waypost", "serve", "--host", host, "--port", str(self.port)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**base, "BENTOML_HOME": str(home), **environment},
            )

    def wait(self) -> None:
        """Return when every worker is ready."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if httpx2.get(f"{self.address}/readyz", timeout=5).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            time.sleep(0.1)
        raise TimeoutError(f"not ready after {READY_SECONDS:.0f} s:\n{self.log.read_text()}")

    def stop(self) -> int:
        """Stop it as an operator would, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
