"""Ways in which one message of a body breaks: what clients, proxies and templates have made of JSON."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

NUMBERS = (
    b"NaN", b"Infinity", b"-Infinity", b"undefined", b"None", b"True", b"nan", b"01", b"1.", b".5", b"+1", b"0x1F",
    b"1e", b"1,299.00", b"--1", b"", b"'12'", b"1_000", b"{{price}}", b"<nil>", b"1 2", b"$12",
)  # fmt: skip
TEXTS = (
    b"\\ud83d", b"\\ude00", b"\\ud83dx\\ude00", b"\\u12", b"\\x41", b"\\q", b"\n", b"\t", b"\x00", b"\xff",
    b"\xf0\x9f\x98", b"\xe9", b"\xc0\x80", b"\xed\xa0\xbd", b'"', b'"x"', b"\\", b"\x1b[0m",
)  # fmt: skip
STRAYS = (b"{", b"}", b"[", b"]", b'"', b":", b",", b"x", b"//", b"/*", b"\\", b"'", b"<", b"\x00", b"}}", b"]]", b"[[")
MARKS = b'{}[]":,'


def _number(message: bytes, chance: random.Random, instead: bytes) -> bytes:
    """With something in the place of the price."""
    before, _, after = message.partition(b": 12.5")
    return before + b": " + instead + after


def _text(message: bytes, chance: random.Random, within: bytes) -> bytes:
    """With something in the middle of the product's name."""
    before, _, after = message.partition(b"Blue lamp")
    return before + b"Blue " + within + b" lamp" + after


def ways(message: bytes, seed: int = 0) -> Iterator[bytes]:
    """The message, broken in one way after the other."""
    chance = random.Random(seed)
    for number in NUMBERS:
        yield _number(message, chance, number)
    for text in TEXTS:
        yield _text(message, chance, text)
    for cut in range(1, 31):
        yield message[: len(message) * cut // 31]
    for mark in MARKS:
        places = [place for place, byte in enumerate(message) if byte == mark]
        for place in chance.sample(places, min(4, len(places))):
            yield message[:place] + message[place + 1 :]
        for place in chance.sample(places, min(3, len(places))):
            yield message[:place] + bytes([mark]) + message[place:]
    for stray in STRAYS:
        for place in chance.sample(range(1, len(message)), 6):
            yield message[:place] + stray + message[place:]


def some(message: bytes, number: int = 200) -> list[bytes]:
    """So many ways."""
    return list(islice(ways(message), number))
