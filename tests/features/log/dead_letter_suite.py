"""Dead letters: each kept once, until it is settled."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from features.log.contract import DeadLetter, DeadLetterStore
from tests.features.log.base import StoreSuite
from tests.features.log.samples import START

LETTER = DeadLetter("ga4", 7, "amount", "-3 is negative", b'{"amount": -3}', START)


def bare(letters: list[DeadLetter]) -> list[DeadLetter]:
    """Letters without the numbers that the log gave them."""
    return [replace(letter, number=0) for letter in letters]


class DeadLetterSuite(StoreSuite):
    """The contract of `features.log.contract.DeadLetterStore`."""

    def test_dead_letters_come_oldest_first(self, log: DeadLetterStore) -> None:
        letters = [replace(LETTER, position=number, raw=bytes([number, 0, 255])) for number in range(5)]
        assert (log.dead_letters(5), log.reject([])) == ([], 0)
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

    def test_dead_letters_of_one_source(self, log: DeadLetterStore) -> None:
        log.reject([replace(LETTER, source=f"s{number % 2}", position=number) for number in range(6)])
        first, second, third = log.dead_letters(9, source="s1")
        assert [letter.position for letter in (first, second, third)] == [1, 3, 5]
        assert log.dead_letters(1, after=first.number, source="s1") == [second]
        assert log.dead_letters(9, source="s2") == []

    def test_a_record_that_is_rejected_again_is_kept_once(self, log: DeadLetterStore, place: Path) -> None:
        assert log.reject([LETTER, replace(LETTER, reason="said otherwise", received=START + 1)]) == 1
        others = [replace(LETTER, position=8), replace(LETTER, source="csv"), replace(LETTER, raw=b"{}")]
        assert log.reject([LETTER, *others]) == 3
        with closing(self.open(place)) as again:
            assert again.reject([*others, LETTER]) == 0
            assert bare(again.dead_letters(9)) == [LETTER, *others]

    def test_a_settled_letter_is_gone_and_its_number_stays_its_own(self, log: DeadLetterStore) -> None:
        log.reject([replace(LETTER, position=number) for number in range(4)])
        kept = log.dead_letters(9)
        assert log.settle([kept[1], kept[3]]) == 2
        assert log.dead_letters(9) == [kept[0], kept[2]]
        assert (log.settle([kept[3]]), log.settle([])) == (0, 0)
        log.reject([replace(LETTER, position=9)])
        assert log.dead_letters(9)[-1].number > kept[3].number
