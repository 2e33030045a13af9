"""Statements that both databases share except for how each writes its parameters."""

from __future__ import annotations


def stale(fingerprint: str, most: str) -> str:
    """The names of profiles whose state is missing, of another fold or behind their events, given two parameters."""
    return f"""
SELECT customers.name
FROM (SELECT customer, max("offset") AS newest FROM events GROUP BY customer) AS present
JOIN customers ON customers.code = present.customer
LEFT JOIN members ON members.member = present.customer
LEFT JOIN states ON states.customer = coalesce(members.profile, present.customer)
WHERE states.customer IS NULL OR states.fingerprint != {fingerprint} OR states."offset" < present.newest
LIMIT {most}
"""
