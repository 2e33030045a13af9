"""What every store of states must do; a store's own tests inherit it and say how to open one."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import DAY, Event, Kind
from features.journey import JOURNEY
from serving.engine.state import StateStore
from tests.examples import examples
from tests.serving.conftest import NOW

KINDS = (Kind.ITEM_VIEW, Kind.CART_ADD, Kind.PURCHASE, Kind.REVIEW, Kind.PAGE_VIEW)


def event(
    number: int, customer: str = "anna", kind: Kind = Kind.PURCHASE, at: int = NOW, amount: float = 10.0
) -> Event:
    """An event of a customer, received as it happened."""
    return Event(f"m-{number}", customer, kind, at, at, amount=amount)


def identify(number: int, customer: str, other: str, at: int = NOW) -> Event:
    """An event that says that `other` is the same customer."""
    return Event(f"m-{number}", customer, Kind.IDENTIFY, at, at, properties={"anonymous_id": other})


def swept(store: StateStore) -> dict[int, bytes]:
    """All stored states by their codes, in bytes."""
    return {int(code): each.tobytes() for chunk in store.sweep(3) for code, each in zip(*chunk, strict=True)}


def replayed(store: StateStore, customer: str) -> bytes:
    """The state of a customer by a replay of the log, in bytes."""
    states = JOURNEY.empty()
    history = store.log.history(customer)
    if len(history):
        JOURNEY.step(states, 0, history)
    return states.tobytes()


def state(store: StateStore, customer: str) -> bytes:
    """The state of a customer as the store gives it, in bytes."""
    return store.load(customer).states.tobytes()


class StateStoreSuite(ABC):
    """Inherit, and implement `open` and `age`."""

    @abstractmethod
    def open(self, folder: Path) -> StateStore:
        """The store in `folder`: the same one each time."""

    @abstractmethod
    def age(self, store: StateStore) -> None:
        """Make every stored state that of an earlier release's features."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[StateStore]:
        """An empty store."""
        opened = self.open(tmp_path)
        yield opened
        opened.close()

    def test_nobody_is_known_of_an_empty_store(self, store: StateStore) -> None:
        loaded = store.load("anna")
        assert (loaded.known, loaded.received) == (False, 0)
        assert loaded.states.tobytes() == JOURNEY.empty().tobytes()
        assert list(store.sweep()) == []
        assert store.heal() == store.rebuild() == 0

    def test_an_event_is_in_the_state_when_it_is_recorded(self, store: StateStore) -> None:
        appended = store.record([event(1, amount=10), event(2, "ben", amount=5), event(3, amount=7)])
        assert appended.accepted_count == 3
        loaded = store.load("anna")
        assert (loaded.known, loaded.received) == (True, NOW)
        assert JOURNEY.read(loaded.states, 0, NOW)[JOURNEY.index["spend_gross_ever"]] == 17

    def test_a_duplicate_is_folded_once(self, store: StateStore) -> None:
        store.record([event(1), event(1)])
        store.record([event(1), event(2)])
        assert store.log.count() == 2
        assert state(store, "anna") == replayed(store, "anna")
        assert JOURNEY.read(store.load("anna").states, 0, NOW)[JOURNEY.index["purchases_ever"]] == 2

    def test_reading_changes_nothing(self, store: StateStore) -> None:
        store.record([event(1)])
        loaded = store.load("anna")
        JOURNEY.read(loaded.states, 0, NOW + 400 * DAY)
        with pytest.raises(ValueError, match="read-only"):
            loaded.states.view(np.uint8)[0] = 1
        assert state(store, "anna") == replayed(store, "anna")

    def test_another_connection_sees_the_event_at_once(self, store: StateStore, tmp_path: Path) -> None:
        other = self.open(tmp_path)
        for number in range(5):
            store.record([event(number)])
            assert state(other, "anna") == replayed(store, "anna")
            other.record([event(100 + number, "ben")])
            assert state(store, "ben") == replayed(other, "ben")
        other.close()

    @pytest.mark.parametrize("kind", [Kind.IDENTIFY, Kind.CONSENT_WITHDRAW, Kind.CONSENT_GRANT])
    def test_an_event_about_people_shows(self, store: StateStore, tmp_path: Path, kind: Kind) -> None:
        other = self.open(tmp_path)
        store.record([event(1)])
        assert store.about_people() == other.about_people() == 0
        with store.transaction():
            store.record([event(2), event(3, kind=kind), event(4)])
            first = store.about_people()
        assert first == other.about_people() == 3
        with pytest.raises(RuntimeError), other.transaction():
            other.record([event(5, kind=kind)])
            assert other.about_people() > first
            raise RuntimeError
        store.record([event(6), event(3, kind=kind)])
        assert store.about_people() == other.about_people() == first
        with other.transaction():
            other.record([event(7, "ben", kind=kind)])
            assert other.about_people() > first
        with store.transaction():
            assert store.about_people() > first
        other.close()

    def test_all_or_nothing(self, store: StateStore) -> None:
        store.record([event(1)])
        before = state(store, "anna")
        with pytest.raises(RuntimeError), store.transaction():
            store.record([event(2), event(3, "ben")])
            raise RuntimeError
        assert state(store, "anna") == before == replayed(store, "anna")
        assert not store.load("ben").known
        store.record([event(2)])
        assert state(store, "anna") == replayed(store, "anna") != before

    def test_an_import_of_the_past_is_in_the_next_state(self, store: StateStore) -> None:
        store.record([event(1), event(2, "ben")])
        untouched = state(store, "ben")
        store.log.append([event(3, at=NOW - 9 * DAY)], history=True)
        assert state(store, "anna") == replayed(store, "anna")
        store.record([event(4)])
        assert state(store, "anna") == replayed(store, "anna")
        assert state(store, "ben") == untouched == replayed(store, "ben")

    def test_an_import_after_the_newest_event_is_in_the_next_state(self, store: StateStore) -> None:
        store.record([event(1)])
        store.log.append([event(2, at=NOW + 5)], history=True)
        assert state(store, "anna") == replayed(store, "anna")
        assert store.heal() == 1
        assert store.heal() == 0

    def test_states_of_other_features_are_replayed_never_read(self, store: StateStore) -> None:
        store.record([event(1), event(2, "ben")])
        self.age(store)
        assert state(store, "anna") == replayed(store, "anna")
        assert list(store.sweep()) == []
        store.record([event(3)])
        assert state(store, "anna") == replayed(store, "anna")
        assert store.heal() == 1
        assert sum(len(chunk.customers) for chunk in store.sweep()) == 2

    def test_whoever_is_erased_is_gone_and_may_come_back_as_a_stranger(self, store: StateStore, tmp_path: Path) -> None:
        other = self.open(tmp_path)
        store.record([event(1), event(2, "ben")])
        assert other.load("anna").known
        store.erase("anna", NOW)
        assert not store.load("anna").known
        assert not other.load("anna").known
        assert sum(len(chunk.customers) for chunk in store.sweep()) == 1
        store.record([event(7, amount=3)])
        assert JOURNEY.read(other.load("anna").states, 0, NOW)[JOURNEY.index["spend_gross_ever"]] == 3
        other.close()

    def test_a_rebuild_gives_what_recording_gave(self, store: StateStore) -> None:
        random = np.random.default_rng(5)
        events = [
            event(
                number, f"c-{random.integers(7)}", KINDS[random.integers(len(KINDS))], NOW - int(random.integers(DAY))
            )
            for number in range(120)
        ]
        for start in range(0, len(events), 9):
            store.record(events[start : start + 9])
        recorded = {name: state(store, name) for name in store.log.customers.names()}
        told: list[tuple[int, int]] = []
        assert store.rebuild(lambda done, total: told.append((done, total))) == 7
        assert told[-1] == (7, 7)
        assert {name: state(store, name) for name in recorded} == recorded
        assert swept(store) == {store.log.customers.code(name): bytes_ for name, bytes_ in recorded.items()}

    def test_all_ids_of_a_profile_have_one_state(self, store: StateStore, tmp_path: Path) -> None:
        other = self.open(tmp_path)
        store.record([event(1, "visitor", amount=3), event(2, "anna", amount=4), event(3, "ben")])
        assert len(store.record([identify(4, "anna", "visitor"), event(5, "visitor", amount=5)]).merges) == 1
        for each in (store, other):
            loaded = each.load("visitor")
            assert (loaded.customer, loaded.known) == ("visitor", True)
            assert JOURNEY.read(loaded.states, 0, NOW)[JOURNEY.index["spend_gross_ever"]] == 12
            assert state(each, "anna") == state(each, "visitor") == replayed(store, "anna")
        codes = [store.log.customers.code(name) for name in ("anna", "ben")]
        assert list(swept(store)) == sorted(code for code in codes if code is not None)
        assert store.heal() == 0
        other.close()

    def test_events_of_a_profile_are_folded_whatever_their_id(self, store: StateStore, tmp_path: Path) -> None:
        other = self.open(tmp_path)
        store.record([event(1, "visitor"), identify(2, "anna", "visitor"), identify(3, "anna", "phone")])
        for number in range(4, 20, 4):
            store.record([event(number, "visitor"), event(number + 1, "anna"), event(number + 2, "phone")])
            other.log.append([event(number + 3, ("visitor", "anna", "phone")[number // 4 % 3])])
            assert state(store, "anna") == state(other, "phone") == replayed(store, "visitor")
        assert JOURNEY.read(store.load("anna").states, 0, NOW)[JOURNEY.index["purchases_ever"]] == 17
        other.close()

    def test_merge_then_unmerge_is_never_merged(self, store: StateStore, tmp_path: Path) -> None:
        (tmp_path / "twin").mkdir()
        twin = self.open(tmp_path / "twin")
        plain = Event("m-5", "anna", Kind.IDENTIFY, NOW, NOW)
        for each, said in ((store, identify(5, "anna", "visitor")), (twin, plain)):
            each.record([event(1, "visitor"), event(2, "anna", Kind.CART_ADD), event(3, "ben")])
            each.record([event(4, "visitor"), said, event(6, "visitor")])
        assert state(store, "visitor") != state(twin, "visitor")
        assert store.unmerge("anna", NOW) == ["visitor"]
        assert store.unmerge("anna", NOW) == twin.unmerge("anna", NOW) == []
        for each in (store, twin):
            each.record([event(7, "visitor"), event(8, "anna")])
        for name in ("anna", "visitor", "ben"):
            assert state(store, name) == state(twin, name) == replayed(twin, name)
        assert swept(store) == swept(twin)
        twin.close()

    def test_unmerging_one_member_leaves_the_others(self, store: StateStore) -> None:
        store.record([event(1, "x"), event(2, "y"), identify(3, "anna", "x"), identify(4, "anna", "y")])
        assert store.unmerge("x", NOW) == ["x"]
        assert state(store, "x") == replayed(store, "x") != state(store, "y")
        assert state(store, "y") == state(store, "anna") == replayed(store, "anna")
        assert (store.heal(), len(swept(store))) == (0, 2)

    def test_a_merge_by_an_import_is_in_the_next_state(self, store: StateStore) -> None:
        store.record([event(1, "visitor"), event(2, "anna")])
        store.log.append([identify(3, "anna", "visitor", NOW - DAY), event(4, "visitor", at=NOW - DAY)], history=True)
        assert state(store, "anna") == state(store, "visitor") == replayed(store, "anna")
        assert store.heal() == 1
        store.record([event(5, "visitor")])
        store.log.unmerge("anna", NOW)
        assert state(store, "anna") == replayed(store, "anna") != state(store, "visitor") == replayed(store, "visitor")
        assert store.heal() == 2

    def test_a_rebuild_knows_profiles(self, store: StateStore) -> None:
        store.record([event(number, f"c-{number}") for number in range(6)])
        store.record([identify(7, "c-1", "c-4"), identify(8, "c-1", "c-2"), event(9, "c-4")])
        before = swept(store)
        assert len(before) == 4
        self.age(store)
        told: list[tuple[int, int]] = []
        assert store.rebuild(lambda done, total: told.append((done, total))) == 4
        assert (told[-1], swept(store)) == ((4, 4), before)
        self.age(store)
        assert (store.heal(), store.heal(), swept(store)) == (4, 0, before)

    def test_an_erasure_takes_the_whole_profile(self, store: StateStore) -> None:
        store.record([event(1, "visitor"), identify(2, "anna", "visitor"), event(3, "ben")])
        erased = store.erase("visitor", NOW + 1)
        assert (erased.customers, erased.events, erased.merges) == (["anna", "visitor"], 2, 1)
        assert [store.load(name).known for name in ("anna", "visitor", "ben")] == [False, False, True]
        assert len(swept(store)) == 1
        assert store.record([event(1, "visitor"), event(9, "anna", at=NOW + 1)]).accepted == [False, True]
        assert state(store, "anna") == replayed(store, "anna")

    @settings(max_examples=examples(40), deadline=None)
    @given(data=st.data())
    def test_a_state_is_the_fold_of_the_log_whatever_happens(
        self, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        store = self.open(tmp_path_factory.mktemp("states"))
        names = st.sampled_from(["anna", "ben", "carla", "dora"])
        numbers, moments = st.integers(0, 40), st.integers(NOW - 60 * DAY, NOW)
        plain = st.builds(event, numbers, names, st.sampled_from(KINDS), moments, st.sampled_from([1.0, 2.5, 40.0]))
        made = st.lists(plain | st.builds(identify, numbers, names, names, moments), max_size=5)
        steps = st.sampled_from(["record", "merge", "import", "unmerge", "heal", "rebuild", "erase", "age"])
        for step in data.draw(st.lists(steps, max_size=12)):
            if step == "record":
                store.record(data.draw(made))
            elif step == "merge":
                store.record([identify(data.draw(st.integers(100, 200)), data.draw(names), data.draw(names))])
            elif step == "import":
                store.log.append(data.draw(made), history=True)
            elif step == "unmerge":
                store.unmerge(data.draw(names), data.draw(moments))
            elif step == "heal":
                store.heal()
            elif step == "rebuild":
                store.rebuild()
            elif step == "erase":
                store.erase(data.draw(names), data.draw(moments))
            else:
                self.age(store)
            for name in ("anna", "ben", "carla", "dora"):
                assert state(store, name) == replayed(store, name)
            for code in swept(store):
                assert store.log.customers.code(store.log.profile(store.log.customers.name(code))[0]) == code
        store.heal()
        names_now = [name for name in store.log.customers.names() if len(store.log.history(name))]
        assert len(swept(store)) == len({store.log.profile(name)[0] for name in names_now})
        store.close()

    def test_writers_at_once_lose_nothing(self, store: StateStore, tmp_path: Path) -> None:
        def write(writer: int) -> None:
            own = self.open(tmp_path)
            for number in range(15):
                own.record([event(1000 * writer + number, "anna"), event(1000 * writer + number + 500, f"c-{number}")])
            own.close()

        threads = [threading.Thread(target=write, args=(writer,)) for writer in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.log.count() == 90
        assert JOURNEY.read(store.load("anna").states, 0, NOW)[JOURNEY.index["purchases_ever"]] == 45
        assert state(store, "anna") == replayed(store, "anna")
        assert store.heal() == 0

    def test_a_store_that_can_be_written_says_so(self, store: StateStore) -> None:
        store.check()

    def test_an_id_that_is_declared_to_be_everybody_is_told_until_it_is_taken_apart(self, store: StateStore) -> None:
        store.record([identify(number, "shared", f"visitor-{number}") for number in range(30)])
        store.record([identify(100 + number, "anna", f"phone-{number}") for number in range(7)])
        assert len(store.log.profile("shared")) == 6, "what was joined before stays, and no more is"
        assert store.crowded(20) == [("shared", 30)]
        assert store.crowded(6) == [("shared", 30), ("anna", 7)]
        store.unmerge("shared", NOW)
        assert store.crowded(20) == []

    def test_the_currencies_of_orders_are_told(self, store: StateStore) -> None:
        assert store.currencies() == []
        told: list[dict[str, object]] = [{"revenue": 3, "currency": "EUR"}, {"currency": "jpy"}, {"currency": 7}, {}]
        store.record([replace(event(number), properties=each) for number, each in enumerate(told)])
        store.record([replace(event(9, kind=Kind.OTHER), properties={"currency": "USD"})])
        assert store.currencies() == ["EUR", "JPY"]
