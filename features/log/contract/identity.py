"""Which ids are one customer: merges, their undoing, and the profiles that result."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.log.contract.names import Vocabulary

MERGE = np.dtype(
    [("received", np.int64), ("offset", np.int64), ("member", np.int32), ("profile", np.int32), ("undone", np.uint8)],
    align=True,
)
"""A merge as it stands in the log: from then on `member` is part of `profile`, or, when `undone`, no longer.

Both are customers' codes. A profile has one level: a member is never the profile of another.
"""

MOST_JOINED = 5
"""Most ids that join one profile. Beyond, an id stays a customer of its own."""


class IdentityStore(Protocol):
    """The merges of a log, and the profiles as they are now. Events that join ids make merges (`EventStore.append`)."""

    @property
    def customers(self) -> Vocabulary:
        """Names of the customers."""
        ...

    def unmerge(self, customer: str, received: int) -> list[str]:
        """Take a member out of its profile, or, given the profile, all its members. Returns the members taken out.

        From then on the history of each id is what it would be without the merge. Later events do not merge the same
        two ids again. The answer is empty when `customer` is in no merged profile.
        """
        ...

    def merges(self) -> NDArray[np.void]:
        """Every merge and its undoing that is still in the log: `MERGE` records, in log order."""
        ...

    def profile(self, customer: str) -> list[str]:
        """All ids of the profile that a customer belongs to now, the profile's own first; itself when never merged.

        Empty when the log does not know the customer.
        """
        ...
