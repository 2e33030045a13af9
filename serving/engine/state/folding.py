"""What all stores of states share, whatever their database: states are folded, replayed, healed and rebuilt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.events import Event, Kind
from features.fold.fold import Fold
from features.histories import Histories
from features.identity.periods import profile_codes
from features.log.contract import Appended, DatabaseLog, Erased
from features.replay.replay import final_states
from serving.engine.state.contract import CustomerState, Progress, StateChunk

if TYPE_CHECKING:
    from features.log.history.history import History

FEW = 1000
"""Up to so many stale customers are replayed one by one; more are replayed together with all the others."""

HEALED_AT_ONCE = 50
"""Customers replayed in one transaction: it takes milliseconds, so that live events do not wait."""

BATCH = 1000
"""Replayed states written in one transaction, which takes milliseconds too."""


_CURRENCY = '"currency":"([A-Za-z]{3})"'


class _Log(DatabaseLog, Protocol):
    def refresh(self) -> None: ...
    def segments(self) -> History | None: ...


Log = TypeVar("Log", bound=_Log)


class _Folded(NamedTuple):
    """A state, and the places of the new events to fold into it."""

    state: bytes
    places: list[int]


class FoldedStates(ABC, Generic[Log]):
    """The part that is the same in every `StateStore`: how events become states.

    A store implements how its rows are read, and written inside a transaction.
    """

    def __init__(self, log: Log, fold: Fold) -> None:
        self.log = log
        self.fold = fold
        self._blank = fold.empty().tobytes()

    @abstractmethod
    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing; may be nested."""

    @abstractmethod
    def _row(self, customer: str) -> tuple[int, bytes | None] | None:
        """`received` and the state of a known customer's profile, None for a state that does not fit any more."""

    @abstractmethod
    def _rows(self, names: Sequence[str]) -> dict[str, tuple[int, bytes | None]]:
        """The code of each known customer's profile, and its state if there is one that fits."""

    @abstractmethod
    def _profiles(self, codes: NDArray[np.int32]) -> Iterator[tuple[int, str, bytes | None]]:
        """Code, name and fitting state, by rising code, of codes that have a name and are not merged into another."""

    @abstractmethod
    def _put(self, profiles: list[int], received: list[int], states: NDArray[np.void], offset: int) -> None:
        """Write the states of profiles, by rising code."""

    @abstractmethod
    def _put_replayed(
        self, customers: NDArray[np.int32], received: NDArray[np.int64], states: NDArray[np.void], offset: int
    ) -> None:
        """Write states replayed up to `offset`, except of customers with something written since."""

    @abstractmethod
    def _stale(self, most: int) -> list[str]:
        """At most so many customers whose state is missing or does not fit any more."""

    @abstractmethod
    def _merged(self) -> list[str]:
        """The profiles of several ids, and the ids that once were in one."""

    @abstractmethod
    def _involved(self) -> NDArray[np.int32]:
        """The codes of all customers that a merge names."""

    @abstractmethod
    def _fitting(self) -> NDArray[np.int32]:
        """The codes of all profiles whose state is of the running fold."""

    @abstractmethod
    def _changed(self, after: int, most: int) -> NDArray[np.int32]:
        """What `changed` gives of the live events and the merges alone."""

    @abstractmethod
    def _currencies(self) -> list[str]:
        """What `currencies` gives of the live events alone."""

    def load(self, customer: str) -> CustomerState:
        """The state of a customer's profile with every event recorded so far, by whichever process."""
        row = self._row(customer)
        if row is None:
            return CustomerState(customer, False, 0, self.fold.empty())
        received, state = row
        if state is None:
            return self._replayed(customer)
        return CustomerState(customer, True, received, np.frombuffer(state, self.fold.state))

    def load_many(self, profiles: NDArray[np.int32]) -> StateChunk:
        """The states, with every event recorded so far, of those codes that are profiles with events."""
        by_code: dict[int, bytes] = {}
        for code, name, state in self._profiles(profiles):
            if state is not None:
                by_code[code] = state
            elif (replayed := self._replayed(name)).known:
                by_code[code] = replayed.states.tobytes()
        states = np.frombuffer(b"".join(by_code.values()), self.fold.state)
        return StateChunk(np.fromiter(by_code, np.int32, len(by_code)), states)

    def _replayed(self, customer: str) -> CustomerState:
        events = self.log.history(customer)
        states = self.fold.empty()
        if len(events):
            self.fold.step(states, 0, events)
        return CustomerState(customer, len(events) > 0, int(events["received"][-1]) if len(events) else 0, states)

    def record(self, events: Sequence[Event]) -> Appended:
        """Append events to the log and fold them into their customers' states, in one transaction."""
        with self.transaction():
            before = self._rows(list(dict.fromkeys(event.customer for event in events)))
            appended = self.log.append(events)
            if not len(appended.records):
                return appended
            names = [event.customer for event, new in zip(events, appended.accepted, strict=True) if new]
            joined = {code for merge in appended.merges for code in (int(merge["member"]), int(merge["profile"]))}
            replayed = set(map(self.log.customers.name, joined))
            folded: dict[int, _Folded] = {}
            for place, (name, code) in enumerate(zip(names, appended.records["customer"].tolist(), strict=True)):
                profile, state = before.get(name) or (code, self._blank)
                if state is None or profile in joined:
                    replayed.add(name)
                elif profile in folded:
                    folded[profile].places.append(place)
                else:
                    folded[profile] = _Folded(state, [place])
            self._step(folded, appended)
            self._replay(replayed)
        return appended

    def _step(self, folded: dict[int, _Folded], appended: Appended) -> None:
        """Fold the accepted events at the places of each profile into its state."""
        if not folded:
            return
        profiles = sorted(folded)
        states = np.frombuffer(bytearray().join(folded[profile].state for profile in profiles), self.fold.state)
        records = appended.records[[place for profile in profiles for place in folded[profile].places]]
        learnt = records["received"].tolist()
        received, stop = [], 0
        for index, profile in enumerate(profiles):
            start, stop = stop, stop + len(folded[profile].places)
            self.fold.step(states, index, records[start:stop])
            received.append(learnt[stop - 1])
        self._put(profiles, received, states, appended.last_offset)

    def _replay(self, customers: Iterable[str]) -> None:
        """Replay the profiles of some customers from the log, and write their states."""
        profiles = {names[0] for names in map(self.log.profile, customers) if names}
        for profile in sorted(profiles):
            events = self.log.history(profile)
            code = self.log.customers.code(profile)
            if code is not None and len(events):
                states = self.fold.empty()
                self.fold.step(states, 0, events)
                self._put([code], [int(events["received"][-1])], states, self.log.offset())

    def unmerge(self, customer: str, received: int) -> list[str]:
        """Take a member, or all members of a profile, out of it, and replay all that were in it."""
        with self.transaction():
            concerned = self.log.profile(customer)
            out = self.log.unmerge(customer, received)
            if out:
                self._replay(concerned)
        return out

    def heal(self, progress: Progress | None = None) -> int:
        """Replay the profiles whose state is missing or does not fit any more. Returns how many."""
        names = self._stale(FEW + 1)
        if len(names) <= FEW:
            names += self._without_state(FEW + 1)
        if len(names) > FEW:
            return self.rebuild(progress)
        stale = sorted({profile[0] for name in names if (profile := self.log.profile(name))})
        self._heal(stale)
        return len(stale)

    def _without_state(self, most: int) -> list[str]:
        """At most so many profiles that have sealed or imported events, and no state of the running fold."""
        segments = self.log.segments()
        if segments is None:
            return []
        missing = np.setdiff1d(self._own(segments.customers()), self._fitting())
        return [self.log.customers.name(code) for code in missing[:most].tolist()]

    def _own(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """The profiles that customers belong to now, rising."""
        return np.unique(profile_codes(self.log.merges(), codes))

    def changed(self, after: int, most: int) -> NDArray[np.int32]:
        """The codes of customers with something written at an offset above `after`, rising, at most `most`."""
        live, segments = self._changed(after, most), self.log.segments()
        moved = np.empty(0, np.int32) if segments is None else segments.customers(after)
        return np.union1d(live, self._own(moved))[:most].astype(np.int32) if len(moved) else live

    def currencies(self) -> list[str]:
        """The currencies that orders name: three letters each. Reads every order."""
        live, segments = self._currencies(), self.log.segments()
        if segments is None:
            return live
        return sorted({*live, *(code.upper() for code in segments.extracted(Kind.PURCHASE, _CURRENCY))})

    def _heal(self, customers: Sequence[str]) -> None:
        for start in range(0, len(customers), HEALED_AT_ONCE):
            with self.transaction():
                self._replay(customers[start : start + HEALED_AT_ONCE])

    def rebuild(self, progress: Progress | None = None) -> int:
        """Replay every profile of the log, some millions of events at a time. Returns how many."""
        done, total = 0, len(self.log.customers.names())
        offset = self.log.offset()
        for replayed in self.log.by_customer():
            done += self._keep(replayed, final_states(self.fold, replayed), offset)
            if progress:
                progress(done, max(done, total))
        # The ids of a profile may be in several chunks, so merged profiles are replayed one by one; they are few.
        merged = self._merged()
        self._heal(merged)
        done += len(merged)
        if progress and merged:
            progress(done, done)
        return done

    def _keep(self, replayed: Histories, states: NDArray[np.void], offset: int) -> int:
        """Write the replayed states of customers without merges. Returns how many customers these are."""
        received = replayed.events["received"][replayed.starts[1:] - 1]
        alone = np.flatnonzero(~np.isin(replayed.customers, self._involved()))
        for start in range(0, len(alone), BATCH):
            places = alone[start : start + BATCH]
            with self.transaction():
                self._put_replayed(replayed.customers[places], received[places], states[places], offset)
        return len(alone)

    def erase(self, customer: str, now: int) -> Erased:
        """Remove the state of a customer's profile and every trace of it in the log."""
        return self.log.erase(customer, now)

    def refresh(self) -> None:
        """Forget the names kept in memory of customers whom another process has erased."""
        self.log.refresh()

    def close(self) -> None:
        """Close the log."""
        self.log.close()
