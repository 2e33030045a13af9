"""What every event log must do. A store's tests inherit `EventLogSuite` and say how the store is opened."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from features.log.contract import EventLog, Training
from tests.features.log.dead_letter_suite import LETTER, DeadLetterSuite, bare
from tests.features.log.erasure_suite import ErasureSuite
from tests.features.log.event_suite import EventSuite
from tests.features.log.identity_suite import IdentitySuite
from tests.features.log.order_suite import OrderSuite
from tests.features.log.reading_suite import ReadingSuite
from tests.features.log.samples import START, event, gathered, shop
from tests.features.log.training_suite import TrainingSuite


class EventLogSuite(EventSuite, ReadingSuite, OrderSuite, IdentitySuite, DeadLetterSuite, TrainingSuite, ErasureSuite):
    """The contract of `features.log.contract.EventLog`: that of each part, and what the parts are to each other."""

    def test_the_log_outlives_its_object(self, log: EventLog, place: Path) -> None:
        log.append(shop(50), history=True)
        log.reject([LETTER])
        before = (log.digest(), gathered(log.scan()).tobytes(), log.customers.names())
        log.close()
        with closing(self.open(place)) as again:
            assert (again.digest(), gathered(again.scan()).tobytes(), again.customers.names()) == before
            assert bare(again.dead_letters(5)) == [LETTER]
            assert again.append(shop(50), history=True).accepted_count == 0

    def test_a_settled_letter_leaves_the_digest_alone(self, log: EventLog) -> None:
        log.append([event(1)])
        before = log.digest()
        log.reject([LETTER])
        log.settle(log.dead_letters(1))
        log.add_training(Training("m-1", START, START + 1))
        assert log.digest() == before

    def test_closing_twice_is_harmless(self, log: EventLog) -> None:
        log.close()
        log.close()
