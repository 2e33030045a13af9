"""Texts of the plain forms that nearly all have, read by compiled code; of any other text it only says that it is one.

What is plain is chosen so that the result is beyond doubt that of the functions in `features.sources.fields`: those are
asked for every other text, and the tests compare both.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from features.events import DAY, SECOND

PLAIN, ASK, THOUSANDS, COMMA = 0, 1, 2, 3
"""A text of a plain form; another one; a number such as 1.234, which in another row's company can mean another; and a
text with a comma, which makes such company."""

_POWERS = 10.0 ** np.arange(16)
_DAYS_BEFORE = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334], np.int64)
_DAYS_IN = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
_DAYS_TO_1970 = 719_162


@njit(cache=True, nogil=True)
def trim_names(memory, begins, ends, longest, state):  # type: ignore[no-untyped-def]
    """Leave spaces around names out, and say which names are `PLAIN`: none, or printable ASCII and not too long."""
    for row in range(len(begins)):
        begin, end = begins[row], ends[row]
        while begin < end and memory[begin] == 32:
            begin += 1
        while end > begin and memory[end - 1] == 32:
            end -= 1
        plain = end - begin <= longest
        for j in range(begin, end):
            plain &= 32 <= memory[j] < 127
        begins[row], ends[row] = begin, end
        state[row] = PLAIN if plain else ASK


@njit(cache=True, nogil=True)
def ask_of_customers(memory, begins, ends, state):  # type: ignore[no-untyped-def]
    """Of plain names, leave as `PLAIN` those that surely name somebody: they begin with a letter or digit, and hold a
    digit from 1 to 9 and no brace. No word for nobody is such a name, and no placeholder."""
    for row in range(len(begins)):
        if state[row] != PLAIN or begins[row] == ends[row]:
            continue
        digit, brace = False, False
        for j in range(begins[row], ends[row]):
            digit |= 49 <= memory[j] <= 57
            brace |= memory[j] == 123
        first = memory[begins[row]]
        letter = 48 <= first <= 57 or 65 <= first <= 90 or 97 <= first <= 122
        if brace or not digit or not letter:
            state[row] = ASK


@njit(cache=True, nogil=True)
def find_special(memory, begins, ends, special, state):  # type: ignore[no-untyped-def]
    """Say which texts hold no byte that is `special`."""
    for row in range(len(begins)):
        plain = True
        for j in range(begins[row], ends[row]):
            plain &= not special[memory[j]]
        state[row] = PLAIN if plain else ASK


@njit(cache=True, nogil=True)
def read_numbers(memory, begins, ends, numbers, state):  # type: ignore[no-untyped-def]
    """Read numbers of at most 15 digits, such as 12 and 35.79; NaN for none.

    Such digits are a whole number below 2^53 over a power of ten below 10^22: both are exact, so one division rounds to
    the nearest number, as `float` does.
    """
    for row in range(len(begins)):
        begin, end = begins[row], ends[row]
        mantissa = np.int64(0)
        point = -1
        plain, comma = end - begin <= 16, False
        for j in range(begin, end):
            byte = memory[j]
            comma |= byte == 44
            if 48 <= byte <= 57:
                if plain:
                    mantissa = mantissa * 10 + (byte - 48)
            elif byte == 46 and point < 0 and j > begin:
                point = j
            else:
                plain = False
        digits = end - begin - (point >= 0)
        decimals = end - point - 1 if point >= 0 else 0
        if begin == end:
            numbers[row] = np.nan
        elif plain and digits <= 15:
            numbers[row] = mantissa / _POWERS[decimals]
        else:
            plain = False
        state[row] = PLAIN if plain else ASK
        if plain and point >= 0 and decimals == 3 and 1 <= point - begin <= 3 and memory[begin] != 48:
            state[row] = THOUSANDS
        if comma:
            state[row] = COMMA


@njit(cache=True, nogil=True)
def read_counts(memory, begins, ends, scale, most, counts, state):  # type: ignore[no-untyped-def]
    """Read whole numbers of at most `most` digits, times `scale`."""
    for row in range(len(begins)):
        length = ends[row] - begins[row]
        plain = 0 < length <= most
        count = np.int64(0)
        if plain:
            for j in range(begins[row], ends[row]):
                plain &= 48 <= memory[j] <= 57
                count = count * 10 + np.int64(memory[j] - 48)
        counts[row] = count * scale if plain else 0
        state[row] = PLAIN if plain else ASK


@njit(cache=True, nogil=True)
def read_times(memory, begins, ends, times, state):  # type: ignore[no-untyped-def]
    """Read times in UTC, microseconds: `2019-10-01`, or with `T` or a space and `00:00:00`, `00:00:00Z` or
    `00:00:00 UTC`, of the years 1900 to 2199."""
    for row in range(len(begins)):
        begin = begins[row]
        length = ends[row] - begin
        state[row] = ASK
        zoneless = length in (10, 19)
        if not zoneless and not (length == 20 and memory[begin + 19] == 90) and not (
            length == 23
            and memory[begin + 19] == 32 and memory[begin + 20] == 85
            and memory[begin + 21] == 84 and memory[begin + 22] == 67
        ):  # fmt: skip
            continue
        plain = memory[begin + 4] == 45 and memory[begin + 7] == 45
        if length > 10:
            plain &= memory[begin + 10] == 84 or memory[begin + 10] == 32
            plain &= memory[begin + 13] == 58 and memory[begin + 16] == 58
        for j in range(min(length, 19)):
            if j not in (4, 7, 10, 13, 16):
                plain &= 48 <= memory[begin + j] <= 57
        if not plain:
            continue
        year = _two(memory, begin) * 100 + _two(memory, begin + 2)
        month, day = _two(memory, begin + 5), _two(memory, begin + 8)
        hour = minute = second = 0
        if length > 10:
            hour, minute, second = _two(memory, begin + 11), _two(memory, begin + 14), _two(memory, begin + 17)
        if not (1900 <= year < 2200 and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
            continue
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        if not 1 <= day <= _DAYS_IN[month - 1] + (leap and month == 2):
            continue
        before = year - 1
        days = before * 365 + before // 4 - before // 100 + before // 400 - _DAYS_TO_1970
        days += _DAYS_BEFORE[month - 1] + (leap and month > 2) + day - 1
        times[row] = days * DAY + (hour * 3600 + minute * 60 + second) * SECOND
        state[row] = PLAIN


@njit(cache=True, nogil=True)
def _two(memory, at):  # type: ignore[no-untyped-def]
    """The number that two digits mean."""
    return np.int64(memory[at] - 48) * 10 + np.int64(memory[at + 1] - 48)
