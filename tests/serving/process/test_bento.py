"""The packed service: it builds, holds no training code, and answers on its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.serving.conftest import Place
from tests.serving.server_process import ROOT, Server


def test_the_bento_builds_and_answers(place: Place) -> None:
    home = place.folder / "bentoml"
    home.mkdir()
    built = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--output", "tag"],
        cwd=ROOT,
        env={**os.environ, "BENTOML_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (folder,) = [each for each in (home / "bentos" / "waypost").iterdir() if each.is_dir()]
    packed = {each.relative_to(folder / "src").parts[0] for each in (folder / "src").rglob("*.py")}
    assert packed == {"features", "models", "insights", "serving"}
    style = folder / "src" / "serving" / "web" / "style.css"
    assert style.is_file()
    server = Server(place.folder, place.environment(WAYPOST_WORKERS="1"), bento=str(Path(folder)))
    try:
        server.wait()
        answer = httpx2.post(f"{server.address}/v1/scores", json={"customer": "nobody"}, timeout=20)
        assert answer.status_code == 200, answer.text
        assert answer.json()["results"][0]["known"] is False
        assert httpx2.get(f"{server.address}/style.css").content == style.read_bytes()
    finally:
        assert server.stop() == 0
