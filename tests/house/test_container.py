"""The container's files are true as far as can be held without an engine: paths, words, settings, what stays out."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import subprocess
from typing import Any

import pytest
import yaml
from typer.main import get_command

from serving.access.scopes import SCOPES
from serving.http.routes import ROUTES
from serving.settings import SETTINGS
from tests.house.tree import ROOT
from waypost import app

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "howto" / "container.md").read_text(encoding="utf-8")
OPEN = {route.path for route in ROUTES if route.scope == "open"}


def instructions(name: str) -> list[str]:
    """What stands behind an instruction of the Dockerfile, each time it is there."""
    return [line.removeprefix(name).strip() for line in DOCKERFILE.splitlines() if line.startswith(f"{name} ")]


def sent(path: str) -> bool:
    """Whether `.dockerignore` sends a file to the builder: the last line that fits decides."""
    answer = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        kept, pattern = line.startswith("!"), line.removeprefix("!").rstrip("/")
        parents = [path, *(path[:place] for place, letter in enumerate(path) if letter == "/")]
        names = [pattern, pattern.removeprefix("**/")] if pattern.startswith("**/") else [pattern]
        if any(
            fnmatch.fnmatchcase(each, f"*/{name}") or fnmatch.fnmatchcase(each, name)
            for each in parents
            for name in names
        ):
            answer = kept
    return answer


def copied() -> list[str]:
    """The paths of this repository that the Dockerfile copies."""
    lines = [line.split() for line in instructions("COPY") if not line.startswith("--from")]
    return [path.rstrip("/") for words in lines for path in words[:-1]]


def test_what_is_copied_exists_and_is_sent() -> None:
    for path in copied():
        assert (ROOT / path).exists() and sent(path), path
    assert {"features", "models", "insights", "serving", "waypost", "training", "locks"} <= set(copied())


def test_neither_log_nor_keys_nor_runs_reach_an_image() -> None:
    written = ["data/waypost.db", "data/keys.json", "data/first-key.txt", "mlruns/mlflow.db", ".env", ".git/config"]
    assert not [path for path in written if sent(path) or any(path.startswith(f"{each}/") for each in copied())]
    assert not sent("serving/__pycache__/service.cpython-311.pyc") and sent("serving/web/style.css")
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))
    assert [line for line in bento["include"] if "data" in line] == ["/data/champion/**"]


def test_the_packages_are_those_of_the_locks() -> None:
    installs = re.findall(r"(?:pip|uv pip) install (.*?)(?:&&|$)", " && ".join(instructions("RUN")))
    assert len(installs) == 3 and all("-r locks/" in each or each.strip().endswith(".") for each in installs)
    assert all("--require-hashes" in each for each in installs if "-r locks/" in each)
    sets = {"server", COMPOSE["services"]["train"]["build"]["args"]["SET"]}
    assert all((ROOT / "locks" / f"{name}.txt").is_file() for name in sets)


def test_it_runs_as_nobody_in_particular_and_listens_to_all() -> None:
    lines = DOCKERFILE.splitlines()
    assert lines.index("USER waypost") < lines.index('CMD ["waypost", "serve", "--host", "0.0.0.0"]')
    check = instructions("HEALTHCHECK")[0]
    asked = re.findall(r"http://127\.0\.0\.1:3000(/\w+)", check)
    assert asked == ["/livez"] and set(asked) <= OPEN
    volumes = json.loads(instructions("VOLUME")[0])
    for name in ("server", "train"):
        mounted = dict(line.split(":") for line in COMPOSE["services"][name]["volumes"])
        assert sorted(mounted.values()) == sorted(volumes) and set(mounted) <= set(COMPOSE["volumes"])


def test_compose_opens_to_this_machine_and_keeps_what_must_be_kept() -> None:
    services = COMPOSE["services"]
    assert services["server"]["ports"] == ["127.0.0.1:3000:3000"]
    assert not any("ports" in services[name] for name in ("db", "train"))
    known = {setting.name for setting in SETTINGS}
    for name in ("server", "train"):
        environment = services[name]["environment"]
        assert set(environment) <= known and environment["WAYPOST_STORE"].startswith("postgresql://waypost:")
    database = services["db"]
    assert {database["environment"][name] for name in ("POSTGRES_USER", "POSTGRES_DB")} == {"waypost"}
    assert database["volumes"][0].partition(":")[0] in COMPOSE["volumes"]


def commands() -> list[list[str]]:
    """The words behind each `waypost` in the page's and the files' commands."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    lines += [json.loads(each) for each in instructions("CMD")] + [COMPOSE["services"]["train"]["command"]]
    return [words[words.index("waypost") + 1 :] for words in lines if "waypost" in words]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_is_one_of_ours(words: list[str]) -> None:
    command: Any = get_command(app)
    names = []
    for word in words:
        if not hasattr(command, "commands"):
            break
        command = command.commands[word]
        names.append(word)
    options = {name for each in command.params for name in each.opts}
    assert {word for word in words if word.startswith("--")} <= options, names
    if "--scope" in words:
        assert words[words.index("--scope") + 1] in SCOPES


def test_settings_and_files_of_the_page_exist() -> None:
    known = {setting.name for setting in SETTINGS} | {"WAYPOST_DB_PASSWORD"}
    assert set(re.findall(r"WAYPOST_\w+", PAGE)) <= known
    assert set(re.findall(r"`(/(?:livez|readyz)\w*)`", PAGE)) <= OPEN
    for link in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / "howto" / link).is_file(), link


def test_nothing_of_the_image_is_kept_out_by_git() -> None:
    ran = subprocess.run(
        ["git", "check-ignore", "Dockerfile", "compose.yaml", ".dockerignore"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert ran.stdout == b""
