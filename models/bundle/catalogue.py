"""The catalogue of what a bundle holds: a model for each target, and one part of each role.

A target's card names the form and the tier of its model, and `FORMS` has the class that reads it. Every part of
`PARTS` has a file name of its own, so the files that a bundle lists say which parts it holds. Reading, writing and
checking go over both catalogues: a second recommender, or a part of a new role, is one file with its class and one
entry here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from models.bundle.manifest import Manifest, TargetCard
from models.bundle.reference import Reference
from models.parts.contract import Part, Read, Says
from models.prediction.amount import AmountScorer
from models.prediction.next_stage import StageScorer
from models.prediction.scorer import Scorer
from models.recommenders.item_item import ItemItem

Model = Scorer | AmountScorer | StageScorer
"""The model of a target, by the form of its answer."""

FORMS: dict[str, type[Model]] = {kind.form: kind for kind in (Scorer, AmountScorer, StageScorer)}
"""The class that reads a target's model, by the form that its card names."""

PARTS: tuple[type[Part], ...] = (ItemItem, Reference)
"""What a bundle may hold beside the models."""

REQUIRED = ("recommender",)
"""Roles of which every bundle has a part."""


def contents(models: Mapping[str, Model], parts: Mapping[str, Part]) -> dict[str, bytes]:
    """The files of all models and parts by name, without the manifest. ValueError when two have the same name."""
    files: dict[str, bytes] = {}
    for member in (*parts.values(), *models.values()):
        written = member.files()
        if twice := sorted(files.keys() & written.keys()):
            raise ValueError(f"Two parts of the bundle have a file {', '.join(twice)}; expected different names.")
        files |= written
    return files


def read_models(manifest: Manifest, read: Read) -> dict[str, Model]:
    """The model of every target; ValueError when the files are anything else."""
    return {target: _model(target, card, manifest.features, read) for target, card in manifest.targets.items()}


def read_parts(listed: Collection[str], read: Read) -> list[Part]:
    """The parts whose files are listed; ValueError when the files are anything else."""
    return [kind.from_files(read) for kind in PARTS if kind.file in listed]


def by_role(parts: Collection[Part]) -> dict[str, Part]:
    """The parts by their role. ValueError for two of one role, a missing role of `REQUIRED`, or an unknown part."""
    for part in parts:
        if type(part) not in PARTS:
            names = ", ".join(kind.name for kind in PARTS)
            raise ValueError(f"{type(part).__name__} is no part of a bundle: expected one of {names}.")
    for role in {*REQUIRED, *(kind.role for kind in PARTS)}:
        held = [part.name for part in parts if part.role == role]
        if len(held) > 1 or (role in REQUIRED and not held):
            files = " or ".join(kind.file for kind in PARTS if kind.role == role)
            raise ValueError(f"It holds {' and '.join(held) or 'nothing'} as its {role}; expected one: {files}.")
    return {part.role: part for part in parts}


def check(models: Mapping[str, Model], parts: Mapping[str, Part], manifest: Manifest) -> None:
    """ValueError when models, parts and manifest do not belong together."""
    if set(models) != set(manifest.targets):
        raise ValueError(f"Scorers are for {sorted(models)}, the manifest's targets are {sorted(manifest.targets)}.")
    for target, model in models.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", target):
            raise ValueError(f"The target {target!r} names files; expected small letters, digits and underscores.")
        if model.target != target:
            raise ValueError(f"The scorer of {target} is that of {model.target}.")
        if model.names != manifest.features:
            raise ValueError(f"The scorer of {target} takes other features than the manifest lists.")
        _check_says(f"The card of {target}", manifest.targets[target], "scorer", model.says)
    for role, part in parts.items():
        _check_says("The manifest", manifest, role, part.says)


def _model(target: str, card: TargetCard, features: tuple[str, ...], read: Read) -> Model:
    if card.form not in FORMS:
        raise ValueError(f"The card of {target} says form {card.form!r}; expected one of {', '.join(FORMS)}")
    try:
        return FORMS[card.form].from_files(target, card.tier, read, features)
    except TypeError as error:  # a text or null where a number is expected
        raise ValueError(f"The model of {target} is unreadable ({error})") from error


def _check_says(where: str, saying: Manifest | TargetCard, what: str, says: Says) -> None:
    for field, expected in says.items():
        value = getattr(saying, field)
        if value not in expected:
            raise ValueError(f"{where} says {field} {value!r}, its {what} has {' or '.join(map(repr, expected))}.")
