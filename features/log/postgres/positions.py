"""What changed in a PostgreSQL log since an offset."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.log import rows
from features.log.postgres.session import Session

_CHANGED = """
WITH asked AS (SELECT %b::int8 AS after)
SELECT customer FROM events WHERE "offset" > (SELECT after FROM asked)
UNION SELECT member FROM merges WHERE "offset" > (SELECT after FROM asked)
UNION SELECT profile FROM merges WHERE "offset" > (SELECT after FROM asked)
"""


class PostgresPositions:
    """The part of a `PostgresLog` that says what changed."""

    session: Session

    def changed(self, after: int) -> NDArray[np.int32]:
        """The codes of the customers with something written at an offset above `after`, rising."""
        return np.unique(np.array(self.session.run(_CHANGED, (after,)), np.int32).ravel())

    def identity(self) -> str:
        """A text that differs between logs."""
        return rows.digest(bytes(self.session.run("SELECT salt FROM log")[0][0]))

    def erasures(self) -> int:
        """How many ids were ever erased."""
        return int(self.session.run("SELECT erasures FROM log")[0][0])
