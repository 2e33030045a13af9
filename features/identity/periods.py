"""Which ids were one profile when, from the merges in the log.

A merge counts from the moment it was received. A *membership period* of a profile lasts from one change of its members
to the next: during it, the same ids are one customer. An id alone is a profile of one.
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
    """The code of the profile that each of `codes` belonged to at `moment` (after all merges, when None)."""
    profiles = profiles_at(merges, moment) if len(merges) and len(codes) else {}
    if not profiles:
        return codes
    table = np.arange(1 + max(int(codes.max()), *profiles), dtype=np.int32)
    table[list(profiles)] = list(profiles.values())
    return table[codes]


def connected_components(merges: Merges) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The ids that merges name, in rising order, and for each id the number (from 0) of its connected component.

    A component holds all ids that were ever joined, directly or through other ids, even if only for a time.
    """
    into: dict[int, int] = {}
    for _, member, profile, _ in _rows(merges):
        first, second = sorted((_top(into, member), _top(into, profile)))
        into[first], into[second] = first, first
    codes = sorted(into)
    tops = np.array([_top(into, code) for code in codes], np.int32)
    return np.array(codes, np.int32), np.unique(tops, return_inverse=True)[1].reshape(-1)


def membership_periods(merges: Merges) -> list[MembershipPeriod]:
    """Every membership period of every profile of the ids that merges name.

    At any moment each id is in exactly one membership period.
    """
    codes, numbers = connected_components(merges)
    component_of = dict(zip(codes.tolist(), numbers.tolist(), strict=True))
    ids: list[list[int]] = [[] for _ in range(int(numbers.max(initial=-1)) + 1)]
    for code, number in component_of.items():
        ids[number].append(code)
    rows: list[list[_Row]] = [[] for _ in ids]
    for row in _rows(merges):
        rows[component_of[row.member]].append(row)
    return [
        period
        for component_rows, members in zip(rows, ids, strict=True)
        for period in _periods_of(component_rows, members)
    ]


def _periods_of(rows: list[_Row], ids: list[int]) -> Iterator[MembershipPeriod]:
    """The membership periods within one connected component, whose merges are `rows`."""
    present: dict[tuple[int, ...], tuple[int, int]] = {(code,): (code, BEGINNING) for code in ids}
    for moment in sorted({row.received for row in rows}):
        profiles = _profiles(row for row in rows if row.received <= moment)
        members: dict[int, tuple[int, ...]] = {}
        for code in ids:
            profile = profiles.get(code, code)
            members[profile] = (*members.get(profile, ()), code)
        following = {ids_of_profile: (profile, moment) for profile, ids_of_profile in members.items()}
        for ids_of_profile, (profile, since) in present.items():
            if ids_of_profile in following and following[ids_of_profile][0] == profile:
                following[ids_of_profile] = profile, since
            else:
                yield MembershipPeriod(profile, ids_of_profile, since, moment)
        present = following
    for ids_of_profile, (profile, since) in present.items():
        yield MembershipPeriod(profile, ids_of_profile, since, FOREVER)


class _Row(NamedTuple):
    """One merge, in plain numbers."""

    received: int
    member: int
    profile: int
    undone: int


def _rows(merges: Merges) -> list[_Row]:
    """The merges in the order of their offsets, in which the log decided on them.

    Merges take effect in this order. `received` does not give it: the log decides on an imported merge of the past in
    the presence of merges that were received later.
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
    """The profile at the end of the chain of merges that begins with `code`."""
    while into.get(code, code) != code:
        code = into[code]
    return code
