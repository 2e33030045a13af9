"""The targets of a shop: the built-in ones, and those that the shop declares in `targets.toml`.

    [coffee_14d]
    event = "PURCHASE"                  # or several: ["REVIEW", "SHARE"]
    within = "14 days"                  # or days by customer: "minimum(2 * purchase_gap_mean, 56)"
    happens = true                      # false: the answer is yes when there is no such event
    scope = "days_since_last <= 90"     # an expression over docs/features.md
    doc = "Will this customer order within a fortnight?"
    prior = 0.1                         # the answer assumed before there is data

The file is in the working folder, or where the environment variable `WAYPOST_TARGETS` says. Other fields:
`channels = ["STORE"]`, `score_at_most = 6`, `in_visit = true` instead of `within` (later in the open visit, asked at
acts 1, 2, 3, 5, ... of it), and `spends = true` for the money of the events instead of whether they happen. A customer
for whom the days in `within` are unknown is out of scope.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.conditions import UnreadableCondition, is_condition, read_condition
from features.events import DAY, HOUR, MINUTE, Channel, Kind, Selection, any_of
from features.grammar import Expr
from features.journey import JOURNEY
from features.outcomes import Happens, HappensInVisit, Outcome, Spends, most
from training.targets.catalogue import TARGETS
from training.targets.target import Calendar, InVisit, Target

PLACE = "WAYPOST_TARGETS"
"""The environment variable that says which file declares targets."""

LONGEST_DAYS = 600
"""The longest horizon: a split of the log by time needs more than three times as much history."""

_RESERVED = frozenset({*TARGETS, "recommender"})
"""Names that are in use."""

_UNITS = {"minute": MINUTE, "hour": HOUR, "day": DAY}
_FIELDS = {
    "event": 'the name of an event such as "PURCHASE", or a list of names',
    "within": 'a duration such as "14 days", or days as an expression over features with a bound; in all at most '
    f"{LONGEST_DAYS} days",
    "happens": "true or false",
    "scope": 'a condition over features such as "days_since_last <= 90"',
    "doc": "a sentence",
    "prior": "a number: a probability above 0 and below 1, or for money a mean above 0",
    "channels": 'a list of channels such as ["WEB", "APP"]',
    "score_at_most": "a number",
    "in_visit": "true or false; with true, no `within`",
    "spends": "true or false",
}


class UnknownTarget(LookupError):
    """There is no target of this name."""


class BadTarget(ValueError):
    """An entry of the file of targets is invalid; the message says which, and what is expected."""


def targets() -> dict[str, Target]:
    """All targets by name, the built-in ones first. Raises `BadTarget`."""
    place = os.environ.get(PLACE)
    path = Path(place or "targets.toml")
    if not path.exists():
        if place:
            raise BadTarget(f"{PLACE} is {path}, which does not exist; expected a file of targets")
        return dict(TARGETS)
    return TARGETS | declared(path)


def chosen(names: list[str] | tuple[str, ...]) -> list[Target]:
    """The targets of these names, or all targets if no names are given. Raises `UnknownTarget` and `BadTarget`."""
    known = targets()
    for name in names:
        if name not in known:
            raise UnknownTarget(
                f"There is no target {name!r}; there are {', '.join(known)}. Declare one in targets.toml."
            )
    return [known[name] for name in dict.fromkeys(names)] or list(known.values())


def declared(path: Path) -> dict[str, Target]:
    """The targets that a TOML file declares. Raises `BadTarget`."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
        raise BadTarget(f"{path} is not TOML: {reason}") from None
    except OSError as reason:
        raise BadTarget(f"{path} cannot be read ({reason.strerror}); expected a file of targets") from None
    return {name: _Entry(path, name, fields).target() for name, fields in entries.items()}


class _Entry:
    """One entry of the file, field by field."""

    def __init__(self, path: Path, name: str, fields: Any) -> None:
        self.where, self.name = f"{path}, [{name}]", name
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in _RESERVED:  # it names files of a bundle
            raise BadTarget(
                f"{self.where}: expected a name of its own of small letters a to z, digits and _, such as coffee_14d"
            )
        if not isinstance(fields, Mapping):
            raise BadTarget(f"{path}: {name} = {fields!r} stands alone; expected a table [{name}] with its fields")
        self.fields: Mapping[str, Any] = fields
        for field in fields:
            if field not in _FIELDS:
                raise BadTarget(f"{self.where}: there is no field {field!r}; there are {', '.join(_FIELDS)}")

    def target(self) -> Target:
        """The target that the entry declares."""
        in_visit, outcome = self._flag("in_visit", False), self._outcome()
        prior = self._value("prior", int | float)
        if not 0 < prior < (1 if outcome.form == "probability" else float("inf")):
            raise self._bad("prior")
        scope, doc = self._expression("scope"), self._value("doc", str).strip()
        if not doc:
            raise self._bad("doc")
        if not is_condition(scope):
            raise self._bad("scope")
        if isinstance(outcome, Happens) and isinstance(outcome.within, Expr):
            scope &= outcome.within > 0
        return Target(self.name, outcome, scope, doc, float(prior), InVisit() if in_visit else Calendar())

    def _outcome(self) -> Outcome:
        selection = self._selection()
        if self._flag("in_visit", False):
            self._without("in_visit", "within", "happens", "score_at_most", "spends")
            return HappensInVisit(selection)
        within = self._within()
        if self._flag("spends", False):
            self._without("spends", "happens", "score_at_most")
            if isinstance(within, Expr):
                raise self._bad("within")
            return Spends(selection.amount, within)
        expected = self._flag("happens", True)
        most = self._value("score_at_most", int | float) if "score_at_most" in self.fields else None
        try:
            return Happens(selection, within, expected, most)
        except ValueError:
            raise self._bad("within") from None

    def _selection(self) -> Selection:
        names = self._value("event", str | list)
        kinds = [self._member(Kind, kind, "event") for kind in ([names] if isinstance(names, str) else names)]
        channels = [self._member(Channel, channel, "channels") for channel in self._list("channels")]
        if not kinds:
            raise self._bad("event")
        return any_of(*kinds).on(*channels)

    def _within(self) -> int | Expr:
        text = self._value("within", str)
        number, _, unit = text.strip().partition(" ")
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", number) and unit.removesuffix("s") in _UNITS:
            longest = float(number) * _UNITS[unit.removesuffix("s")]
        else:
            expression = self._expression("within")
            longest = most(expression) * DAY
            if longest <= LONGEST_DAYS * DAY:
                return expression
        if not 1.0 <= longest <= LONGEST_DAYS * DAY:
            raise self._bad("within")
        return round(longest)

    def _expression(self, field: str) -> Expr:
        try:
            expression = read_condition(self._value(field, str))
        except UnreadableCondition:
            raise self._bad(field) from None
        unknown = expression.columns() - set(JOURNEY.names)
        if unknown:
            raise BadTarget(
                f"{self.where}: {field} = {self.fields[field]!r} names {', '.join(sorted(unknown))}; "
                "expected features of docs/features.md"
            )
        return expression

    def _list(self, field: str) -> list[Any]:
        return list(self._value(field, list)) if field in self.fields else []

    def _flag(self, field: str, default: bool) -> bool:
        return bool(self._value(field, bool)) if field in self.fields else default

    def _value(self, field: str, kind: Any) -> Any:
        value = self.fields.get(field)
        endless = isinstance(value, float) and not math.isfinite(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool) or endless:
            raise self._bad(field)
        return value

    def _member(self, members: Any, name: object, field: str) -> Any:
        if not isinstance(name, str) or name not in members.__members__:
            raise BadTarget(f"{self.where}: {field} names {name!r}; expected of {', '.join(members.__members__)}")
        return members[name]

    def _without(self, flag: str, *fields: str) -> None:
        for field in fields:
            if field in self.fields:
                raise BadTarget(f"{self.where}: {field} = {self.fields[field]!r} beside {flag} = true; leave one out")

    def _bad(self, field: str) -> BadTarget:
        said = f"{field} = {self.fields[field]!r}" if field in self.fields else f"no {field}"
        return BadTarget(f"{self.where}: {said}; expected {_FIELDS[field]}")
