"""Which ids were one profile when, from the merges in the log.

A merge counts from the moment it was learnt. Between two changes of its membership a profile has a *membership period*:
so long, the same ids are one customer. An id alone is a profile of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.aggregates.kernels import FOREVER

Merges = NDArray[np.void]
"""`features.log.contract.MERGE` records."""

BEGINNING = -(2**63)
"""Before every moment."""


class MembershipPeriod(NamedTuple):
    """From `since` on, and before `until`, the ids `members` (the profile's own among them) were one profile."""

    profile: int
    members: tuple[int, ...]
    since: int
    until: int


def profiles_at(merges: Merges, moment: int | None = None) -> dict[int, int]:
    """The profile of each id that is a member of one, by the merges received by `moment` (by all, when None)."""
    return _profiles(_rows(merges if moment is None else merges[merges["received"] <= moment]))


def profile_codes(merges: Merges, codes: NDArray[np.int32], moment: int | None = None) -> NDArray[np.int32]:
    """The code of the profile that each of `codes` belonged to at `moment` (in the end, when None)."""
    profiles = profiles_at(merges, moment) if len(merges) and len(codes) else {}
    if not profiles:
        return codes
    table = np.arange(1 + max(int(codes.max()), *profiles), dtype=np.int32)
    table[list(profiles)] = list(profiles.values())
    return table[codes]


def connected_components(merges: Merges) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The ids that merges name, in rising order, and for each the number (from 0) of its circle.

    A circle is made of all ids that were ever joined, if only through others and for a time.
    """
    into: dict[int, int] = {}
    for _, member, profile, _ in _rows(merges):
        first, second = sorted((_top(into, member), _top(into, profile)))
        into[first], into[second] = first, first
    codes = sorted(into)
    tops = np.array([_top(into, code) for code in codes], np.int32)
    return np.array(codes, np.int32), np.unique(tops, return_inverse=True)[1].reshape(-1)


def membership_periods(merges: Merges) -> list[MembershipPeriod]:
    """Every membership period of every profile of the ids that merges name. At any moment each of the ids is in exactly
    one."""
    codes, numbers = connected_components(merges)
    circle_of = dict(zip(codes.tolist(), numbers.tolist(), strict=True))
    ids: list[list[int]] = [[] for _ in range(int(numbers.max(initial=-1)) + 1)]
    for code, number in circle_of.items():
        ids[number].append(code)
    rows: list[list[_Row]] = [[] for _ in ids]
    for row in _rows(merges):
        rows[circle_of[row.member]].append(row)
    return [period for each, members in zip(rows, ids, strict=True) for period in _periods_of(each, members)]


def _periods_of(rows: list[_Row], ids: list[int]) -> Iterator[MembershipPeriod]:
    """The membership periods within one connected component, whose merges are `rows`."""
    present: dict[tuple[int, ...], tuple[int, int]] = {(code,): (code, BEGINNING) for code in ids}
    for moment in sorted({row.received for row in rows}):
        profiles = _profiles(row for row in rows if row.received <= moment)
        members: dict[int, tuple[int, ...]] = {}
        for code in ids:
            profile = profiles.get(code, code)
            members[profile] = (*members.get(profile, ()), code)
        following = {each: (profile, moment) for profile, each in members.items()}
        for each, (profile, since) in present.items():
            if each in following and following[each][0] == profile:
                following[each] = profile, since
            else:
                yield MembershipPeriod(profile, each, since, moment)
        present = following
    for each, (profile, since) in present.items():
        yield MembershipPeriod(profile, each, since, FOREVER)


class _Row(NamedTuple):
    """One merge, in plain numbers."""

    received: int
    member: int
    profile: int
    undone: int


def _rows(merges: Merges) -> list[_Row]:
    """The merges in the order of their offsets, in which the log decided on them.

    That is the order in which they take effect: an import of the past may have been learnt earlier than the merges in
    whose presence the log decided on it.
    """
    ordered = merges[np.argsort(merges["offset"], kind="stable")]
    return [_Row(*row) for row in zip(*(ordered[name].tolist() for name in _Row._fields), strict=True)]


def _profiles(rows: Iterable[_Row]) -> dict[int, int]:
    into: dict[int, int] = {}
    for row in rows:
        if not row.undone:
            into[row.member] = row.profile
        elif into.get(row.member) == row.profile:
            del into[row.member]
    return {member: _top(into, member) for member in into}


def _top(into: Mapping[int, int], code: int) -> int:
    """Whom a code stands under, through all levels."""
    while into.get(code, code) != code:
        code = into[code]
    return code
