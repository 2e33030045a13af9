"""Names that a bundle's files spell differently from the code.

A bundle's version is a hash of what its files say, so that a bundle of an earlier release keeps its version only if
later releases write and read the same names.
"""

from __future__ import annotations

_TIERS = {"clv": "buyers"}


def tier_on_disk(tier: str) -> str:
    """The name of a tier in a bundle's files."""
    return _TIERS.get(tier, tier)


def tier_from_disk(written: str) -> str:
    """The name of the tier that a bundle's files call `written`."""
    return next((tier for tier, name in _TIERS.items() if name == written), written)
