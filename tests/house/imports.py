"""Who imports whom, read from the code: files, folders, and the picture of the house in ARCHITECTURE.md.

`python -m tests.house.imports` prints the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from configparser import ConfigParser
from functools import cache
from graphlib import CycleError, TopologicalSorter

import grimp

from tests.house.tree import ROOMS, ROOT

PACKAGES = (*ROOMS, "waypost")
"""The packages of the house, from the ground up."""

Imports = Mapping[str, frozenset[str]]


@cache
def files() -> Imports:
    """The modules that each module imports, anywhere in it."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    return {name: frozenset(graph.find_modules_directly_imported_by(name)) for name in sorted(graph.modules)}


def folders() -> dict[str, list[str]]:
    """The names of what stands in each folder, files and folders, by the folder's module name."""
    found: dict[str, list[str]] = {}
    for name in files():
        folder, _, last = name.rpartition(".")
        if folder:
            found.setdefault(folder, []).append(last)
    return found


def circle(imports: Imports) -> list[str]:
    """Modules that import each other in a circle, in their order; empty where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def places_of_contracts() -> dict[str, list[str]]:
    """The members that have a place in each folder: in a layer, or as one of which none knows another."""
    parser = ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    found: dict[str, list[str]] = {}
    for section in parser.sections():
        contract = parser[section]
        if contract.get("type") == "layers" and "containers" in contract:
            members = contract["layers"].replace("|", "\n").split()
            for container in contract["containers"].split():
                assert contract.getboolean("exhaustive"), f"the contract of {container} may leave files out"
                found[container] = members
        if contract.get("type") == "independence":
            for container in (each.removesuffix(".*") for each in contract["modules"].split() if each.endswith(".*")):
                found[container] = folders()[container]
    return found


def rooms() -> Imports:
    """The imports among rooms: folders at the second level, and single files where they stand beside such."""
    found: dict[str, set[str]] = {}
    for name, others in files().items():
        for other in others:
            here, there = _room(name), _room(other)
            if here and there and here != there:
                found.setdefault(here, set()).add(there)
                found.setdefault(there, set())
    return {name: frozenset(others) for name, others in sorted(found.items())}


def _room(name: str) -> str:
    """The room of a module; empty for a package's own face."""
    parts = name.split(".")
    if parts[0] in ("waypost", "insights"):
        return parts[0]
    return ".".join(parts[:2]) if len(parts) > 1 else ""


def fewest(imports: Imports) -> list[tuple[str, str]]:
    """The arrows that say the same without those that follow from others (the transitive reduction)."""
    reach: dict[str, set[str]] = {}
    for name in TopologicalSorter(imports).static_order():
        reach[name] = set(imports[name]).union(*(reach[other] for other in imports[name]))
    return [
        (name, other)
        for name, others in imports.items()
        for other in sorted(others)
        if not any(other in reach[third] for third in others if third != other)
    ]


def picture() -> str:
    """The rooms and what each stands on, in Mermaid."""
    arrows = fewest(rooms())
    names = sorted({name for arrow in arrows for name in arrow})
    lines = ["```mermaid", "flowchart TD"]
    for package in reversed(PACKAGES):
        own = [name for name in names if name.split(".")[0] == package]
        lines += [f"  subgraph {package}", *_nodes(own), "  end"] if own != [package] else [f"  {package}"]
    return "\n".join([*lines, *(f"  {_node(a)} --> {_node(b)}" for a, b in arrows), "```"])


def _nodes(names: Iterable[str]) -> list[str]:
    return [f"    {_node(name)}[{name.rpartition('.')[2]}]" for name in names]


def _node(name: str) -> str:
    return name.replace(".", "_")


if __name__ == "__main__":
    print(picture())
