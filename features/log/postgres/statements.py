"""The statements that write the events of a PostgreSQL log."""

from __future__ import annotations

from features.events import NO_CODE
from features.log import rows

_QUOTED = [f'"{name}"' for name in rows.COLUMNS]

INSERT = f"""
INSERT INTO events
SELECT "offset", message_id, customer, kind, at, received, channel,
    nullif(item, {NO_CODE}), nullif(category, {NO_CODE}),
    nullif(quantity, 'NaN'), nullif(amount, 'NaN'), order_id, nullif(score, 'NaN'), properties
FROM unnest(
    %b::int8[], %b::text[], %b::int4[], %b::int2[], %b::int8[], %b::int8[], %b::int2[],
    %b::int4[], %b::int4[], %b::float8[], %b::float8[], %b::text[], %b::float8[], %b::text[]
) AS given ({", ".join(_QUOTED)})
ON CONFLICT (message_id) DO NOTHING RETURNING "offset"
"""

MOVE = """
UPDATE events SET at = moved.at, received = moved.received
FROM unnest(%b::int8[], %b::int8[], %b::int8[]) AS moved (place, at, received) WHERE "offset" = moved.place
"""
