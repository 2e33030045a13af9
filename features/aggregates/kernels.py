"""Constants and small functions that every generated fold starts with.

`NEVER` is the time of an event that has not happened: no event has it, as `features/sources/fields` refuses such dates.
The text of this file below the marker is copied into the generated module and compiled there;
`meaning` definitions import the constants from here, so both sides share one value.
"""

import math
from typing import Any

# --- copied into every fold ---
NAN = math.nan
NEVER = 0
HOPS = 8
CEILING = 255
UNSET = 255
FOREVER = 2**62
CART_SECONDS = 7 * 86_400
ADVOCACY_SECONDS = 365 * 86_400
WEEK_COSINES = tuple(math.cos(2.0 * math.pi * k / 7.0) for k in range(7))
WEEK_SINES = tuple(math.sin(2.0 * math.pi * k / 7.0) for k in range(7))
CLOCK_COSINES = tuple(math.cos(2.0 * math.pi * k / 8.0) for k in range(8))
CLOCK_SINES = tuple(math.sin(2.0 * math.pi * k / 8.0) for k in range(8))


def second(at: int) -> int:
    """A time in microseconds as whole seconds; states keep times to the second, in 4 bytes."""
    return at // 1_000_000


def elapsed(moment: int, now: int) -> float:
    """Microseconds from a time kept in seconds to `now`; never negative."""
    past = now // 1_000_000 - moment
    return past * 1_000_000.0 if past > 0 else 0.0


def ratio(left: float, right: float) -> float:
    """left / right, NaN when dividing by zero."""
    if right == 0.0:
        return NAN
    return left / right


def truth(condition: bool) -> float:
    """A condition as a number."""
    return 1.0 if condition else 0.0


def differs(left: float, right: float) -> float:
    """Whether two known values differ."""
    return 1.0 if left == left and right == right and left != right else 0.0


def both(left: float, right: float) -> float:
    """Logical and of two numbers; NaN is false."""
    return 1.0 if left == left and right == right and left != 0.0 and right != 0.0 else 0.0


def either(left: float, right: float) -> float:
    """Logical or of two numbers; NaN is false."""
    return 1.0 if (left == left and left != 0.0) or (right == right and right != 0.0) else 0.0


def negation(value: float) -> float:
    """Logical not; the negation of NaN is true."""
    return 0.0 if value == value and value != 0.0 else 1.0


def otherwise(value: float, default: float) -> float:
    """The value, or the default where the value is NaN."""
    return value if value == value else default


def smaller(left: float, right: float) -> float:
    """The smaller; NaN if either is."""
    if left != left or right != right:
        return NAN
    return left if left < right else right


def larger(left: float, right: float) -> float:
    """The larger; NaN if either is."""
    if left != left or right != right:
        return NAN
    return left if left > right else right


def place_of(codes: Any, size: int, code: int) -> int:
    """The index of a code among the first `size`, -1 when it is not there."""
    for k in range(size):
        if codes[k] == code:
            return k
    return -1


def place_of_least(moments: Any, size: int) -> int:
    """The index of the earliest of the first `size` times, the first of equals.

    A loop for this alone, with the least value in a variable, compiles without branches; combined with the search for
    a code it cost an eighth of the time of the whole fold in mispredicted branches.
    """
    place, least = 0, moments[0]
    for k in range(1, size):
        if moments[k] < least:
            place, least = k, moments[k]
    return place
