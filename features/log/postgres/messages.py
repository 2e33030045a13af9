"""Which messages a PostgreSQL log has."""

from __future__ import annotations

from collections.abc import Sequence

from features.log.postgres.arrays import texts
from features.log.postgres.session import Session


def known(session: Session, message_ids: Sequence[str]) -> list[str]:
    """Those of the message ids that the log has."""
    query = "SELECT message_id FROM events WHERE message_id = ANY(%b::text[])"
    return [message_id for (message_id,) in session.run(query, (texts(message_ids),))]
