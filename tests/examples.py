"""How many examples a law is tried on: as many as it says, and a part of them in the profile `quick`."""

from __future__ import annotations

from hypothesis import settings

WHOLE, QUICK, THOROUGH = "whole", "quick", "thorough"
PART, LEAST, MANY = 10, 5, 10_000


def register_profiles() -> None:
    """Make the profiles of `make quick` and of a long search known to Hypothesis, and begin with that of `make test`.

    No example has a deadline: on a busy machine it says nothing of the law.
    """
    settings.register_profile(WHOLE, deadline=None)
    settings.register_profile(QUICK, max_examples=examples_of(settings().max_examples, quick=True), deadline=None)
    settings.register_profile(THOROUGH, max_examples=MANY, deadline=None)
    settings.load_profile(WHOLE)


def examples(number: int) -> int:
    """So many examples; a tenth of them, at least five, in the profile `quick`, and ten thousand in `thorough`."""
    if settings.get_current_profile_name() == THOROUGH:
        return max(number, MANY)
    return examples_of(number, quick=settings.get_current_profile_name() == QUICK)


def examples_of(number: int, *, quick: bool) -> int:
    """As `examples`, in the quick profile or not."""
    return min(number, max(LEAST, number // PART)) if quick else number
