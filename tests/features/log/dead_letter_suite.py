"""Dead letters, kept once and settled; and the models that were trained on a log."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from features.log.contract import DeadLetter, EventLog, Training
from tests.features.log.base import StoreSuite
from tests.features.log.samples import START, event

LETTER = DeadLetter("ga4", 7, "amount", "-3 is negative", b'{"amount": -3}', START)


def bare(letters: list[DeadLetter]) -> list[DeadLetter]:
    """Letters without the numbers that the log gave them."""
    return [replace(letter, number=0) for letter in letters]


class LetterSuite(StoreSuite):
    """The part of the contract that is about dead letters and trainings."""

    def test_dead_letters_come_oldest_first(self, log: EventLog) -> None:
        letters = [replace(LETTER, position=number, raw=bytes([number, 0, 255])) for number in range(5)]
        assert log.reject([]) == 0
        assert log.reject(letters[:2]) == 2
        assert log.reject([*letters[2:4], replace(letters[4], customer="ann")]) == 3
        kept = log.dead_letters(99)
        assert bare(kept) == [*letters[:4], replace(letters[4], customer="ann")]
        assert log.dead_letters(2) == kept[:2]
        assert log.dead_letters(2, after=kept[1].number) == kept[2:4]
        assert log.dead_letters(9, after=kept[4].number) == []
        numbers = [letter.number for letter in kept]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > 0

    def test_dead_letters_of_one_source(self, log: EventLog) -> None:
        log.reject([replace(LETTER, source=f"s{number % 2}", position=number) for number in range(6)])
        first, second, third = log.dead_letters(9, source="s1")
        assert [letter.position for letter in (first, second, third)] == [1, 3, 5]
        assert log.dead_letters(1, after=first.number, source="s1") == [second]
        assert log.dead_letters(9, source="s2") == []

    def test_a_record_that_is_rejected_again_is_kept_once(self, log: EventLog, place: Path) -> None:
        assert log.reject([LETTER, replace(LETTER, reason="said otherwise", received=START + 1)]) == 1
        others = [replace(LETTER, position=8), replace(LETTER, source="csv"), replace(LETTER, raw=b"{}")]
        assert log.reject([LETTER, *others]) == 3
        with closing(self.open(place)) as again:
            assert again.reject([*others, LETTER]) == 0
            assert bare(again.dead_letters(9)) == [LETTER, *others]

    def test_a_settled_letter_is_gone_and_its_number_stays_its_own(self, log: EventLog) -> None:
        log.reject([replace(LETTER, position=number) for number in range(4)])
        kept = log.dead_letters(9)
        assert log.settle([kept[1], kept[3]]) == 2
        assert log.dead_letters(9) == [kept[0], kept[2]]
        assert (log.settle([kept[3]]), log.settle([])) == (0, 0)
        log.reject([replace(LETTER, position=9)])
        assert log.dead_letters(9)[-1].number > kept[3].number

    def test_a_settled_letter_leaves_the_digest_alone(self, log: EventLog) -> None:
        log.append([event(1)])
        before = log.digest()
        log.reject([LETTER])
        log.settle(log.dead_letters(1))
        log.trained(Training("m-1", START, START + 1))
        assert log.digest() == before

    def test_trainings_are_remembered_oldest_first(self, log: EventLog, place: Path) -> None:
        assert log.trainings() == []
        trainings = [Training("m-2", START + 9, START + 10), Training("m-1", START, START + 20)]
        for training in trainings:
            log.trained(training)
        log.trained(trainings[0])
        with closing(self.open(place)) as again:
            assert log.trainings() == again.trainings() == trainings
