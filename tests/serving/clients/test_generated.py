"""Clients that generators make from `/openapi.json`: type-checked as they come, and used by the programs of the how-to.

The commands and the programs are those of `docs/howto/clients.md`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.serving.clients.npm import MODULES, Node
from tests.serving.clients.shop import KeyedServer

ROOT = Path(__file__).parents[3]
HOWTO = ROOT / "docs" / "howto" / "clients.md"
SECTION = re.compile(r"^## (.+?)\n(.+?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
ADDRESS = "https://waypost.shop.example"


@dataclass(frozen=True)
class Workshop:
    """A folder in which clients are made from the description of a running server."""

    folder: Path
    shop: KeyedServer

    def blocks(self, section: str) -> tuple[str, str]:
        """The command that generates, and the program that uses what was made, of this server."""
        commands, program = BLOCK.findall(dict(SECTION.findall(HOWTO.read_text(encoding="utf-8")))[section])
        for known, here in ((ADDRESS, self.shop.server.address), ("WRITE_KEY", self.shop.write)):
            program = program.replace(known, here)
        return commands.splitlines()[-1], program.replace("DECIDE_KEY", self.shop.decide)

    def run(self, *command: str) -> str:
        """What a command prints; it must succeed."""
        scripts = str(Path(sys.executable).parent)
        environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, shop: KeyedServer) -> Workshop:
    """An empty folder with the description in it, as a generator without a network would read it."""
    folder = tmp_path_factory.mktemp("generated")
    description = httpx2.get(f"{shop.server.address}/openapi.json").content
    (folder / "openapi.json").write_bytes(description)
    return Workshop(folder, shop)


def right(printed: str) -> None:
    """Hold what a program printed to what it asked."""
    told = {name: words for name, *words in (line.split() for line in printed.splitlines())}
    assert told["accepted"] == ["1"]
    probability, evidence, reasons = told["score"]
    assert 0 <= float(probability) <= 1 and evidence in "ABCDE" and int(reasons) >= 1
    assert len(told["items"]) == 3
    assert told["action"][0] and told["action"][1] == "consideration"
    assert told["problem"][:2] == ["422", "invalid_request"] and len(told["problem"]) >= 2


def test_typescript_is_checked_and_used(workshop: Workshop, node: Node) -> None:
    command, program = workshop.blocks("TypeScript")
    (workshop.folder / "node_modules").symlink_to(MODULES)
    (workshop.folder / "package.json").write_text('{"type": "module"}')
    (workshop.folder / "shop.ts").write_text(program)
    _, tool, _, *options = shlex.split(command)
    workshop.run(node.command, f"node_modules/{tool}/bin/cli.js", "openapi.json", *options)
    checks = ["--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "esnext"]
    checks += ["--moduleResolution", "bundler"]
    workshop.run(node.command, "node_modules/typescript/bin/tsc", *checks, "shop.ts")
    right(workshop.run(node.command, "shop.js"))


def test_python_is_checked_and_used(workshop: Workshop) -> None:
    """Both generators in one test: mypy then reads the libraries beneath them once."""
    for section, name in (("Python, with functions", "with_functions"), ("Python, with models", "with_models")):
        command, program = workshop.blocks(section)
        workshop.run(*shlex.split(command.replace(f"--url {ADDRESS}/openapi.json", _here(command))))
        (workshop.folder / f"{name}.py").write_text(program)
    # Of the package, `client.py` is the generator's own text, whatever the description; mypy faults it.
    settings = "[mypy]\nstrict = True\n[mypy-waypost_client.client]\nignore_errors = True\n"
    (workshop.folder / "mypy.ini").write_text(settings)
    made = ("waypost_client", "waypost_models.py", "with_functions.py", "with_models.py")
    workshop.run(sys.executable, "-m", "mypy", "--cache-dir", str(ROOT / ".mypy_cache"), *made)
    for name in ("with_functions", "with_models"):
        right(workshop.run(sys.executable, f"{name}.py"))


def _here(command: str) -> str:
    """How a generator is told of a file."""
    return "--path openapi.json" if command.startswith("openapi-python-client") else "--input openapi.json"
