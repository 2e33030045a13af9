"""How many examples a law is tried on: as many as it says, and a part of them in the profile `quick`."""

from __future__ import annotations

from hypothesis import settings

WHOLE, QUICK = "whole", "quick"
PART, LEAST = 10, 5


def register_profiles() -> None:
    """Make the profile of `make quick` known to Hypothesis, and begin with that of `make test`.

    No example has a deadline: on a busy machine it says nothing of the law.
    """
    settings.register_profile(WHOLE, deadline=None)
    settings.register_profile(QUICK, max_examples=examples_of(settings().max_examples, quick=True), deadline=None)
    settings.load_profile(WHOLE)


def examples(number: int) -> int:
    """So many examples, or a tenth of them, at least five, in the profile `quick`."""
    return examples_of(number, quick=settings.get_current_profile_name() == QUICK)


def examples_of(number: int, *, quick: bool) -> int:
    """As `examples`, in the quick profile or not."""
    return min(number, max(LEAST, number // PART)) if quick else number
