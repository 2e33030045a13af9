"""A feature set: a class whose body declares the features of a customer, one line each."""

from __future__ import annotations

from copy import copy
from typing import Any

from features.aggregates.base import Aggregate, Reading
from features.grammar import Column, Expr


def engaging(feature: Expr) -> Expr:
    """The same feature, declared to mean engagement: more of it alone never makes a customer less engaged.

    Models keep to it: all else equal, more of it never makes an order less likely, or leaving more likely. A feature
    whose effect depends on the customer's rhythm, such as the time since the last order, is not engaging. Neither is
    money: a customer who bought much at once comes back later.
    """
    declared = copy(feature)
    vars(declared)["engaging"] = True
    return declared


class Declarations(type):
    """Collects the declarations of a class body and turns each feature into a column by its name."""

    features: dict[str, Expr]
    memories: dict[str, Aggregate]
    families: dict[str, str]
    engaging: frozenset[str]

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Declarations:
        features: dict[str, Expr] = {}
        memories: dict[str, Aggregate] = {}
        families: dict[str, str] = {}
        for base in bases:
            if isinstance(base, Declarations):
                _merge(name, features, base.features)
                _merge(name, memories, base.memories)
                families.update(base.families)
        own = {key: value for key, value in body.items() if isinstance(value, Expr) and not key.startswith("_")}
        kept = {key: value for key, value in body.items() if isinstance(value, Aggregate) and not key.startswith("_")}
        _merge(name, features, own)
        _merge(name, memories, kept)
        for key in own:
            families[key] = (body.get("__doc__") or name).strip().splitlines()[0]
        columns: dict[str, Any] = {key: Column(key) for key in own}
        rest = {key: value for key, value in body.items() if key not in own and key not in kept}
        made = super().__new__(mcs, name, bases, {**rest, **columns})
        made.features, made.memories, made.families = features, memories, families
        made.engaging = frozenset(key for key, value in features.items() if value.engaging)
        return made

    def aggregates(cls) -> list[Aggregate]:
        """Every aggregate the features and memories need, each once, in the order of first use."""
        aggregates: dict[str, Aggregate] = {}
        for expr in cls.features.values():
            for leaf in expr.walk():
                if isinstance(leaf, Reading):
                    aggregates.setdefault(leaf.aggregate.name, leaf.aggregate)
        for aggregate in cls.memories.values():
            aggregates.setdefault(aggregate.name, aggregate)
        return list(aggregates.values())


def _merge(name: str, into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if key in into:
            raise TypeError(f"{name} declares '{key}' twice: every feature has one definition")
        into[key] = value


class FeatureSet(metaclass=Declarations):
    """Subclass it and declare features in the body; combine sets by inheriting from several.

    `name = expression` declares a feature, `name = engaging(expression)` one that means engagement and is listed in
    `engaging`, `name = recent(...)` a memory. A name with a leading underscore is no feature but a part of others.
    Outside the body, `Journey.name` is the column of that feature, for use in actions, segments and targets.
    """
