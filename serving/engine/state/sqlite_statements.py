"""The table of the states in SQLite, the triggers that keep it correct, and the statements on it.

A state is stored under the code of its profile and has folded every event of the profile up to `offset`. Later live
events of the profile's own id have greater offsets, which shows that the state is behind. Everything else that makes a
state wrong (an event of the past, an import, an event of a member, a merge or its undoing, an erasure) deletes it by a
trigger, whichever process wrote that. When an event leaves the database for the history, a state that has not folded
it is deleted too.
"""

from __future__ import annotations

from features.events import Kind
from features.log.sqlite.schema import ABOUT_PEOPLE
from serving.engine.state.statements import stale

SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS states (
        customer INTEGER PRIMARY KEY,
        fingerprint TEXT NOT NULL,
        "offset" INTEGER NOT NULL,
        received INTEGER NOT NULL,
        state BLOB NOT NULL
    )
    """,
    "DROP TRIGGER IF EXISTS states_of_the_past",
    "DROP TRIGGER IF EXISTS states_of_the_erased",
    "DROP TRIGGER IF EXISTS states_of_the_merged",
    """
    CREATE TRIGGER states_of_the_sealed AFTER DELETE ON events
    BEGIN DELETE FROM states WHERE customer = OLD.customer AND "offset" < OLD."offset"; END
    """,
    """
    CREATE TRIGGER states_of_the_erased AFTER UPDATE OF name ON customers WHEN NEW.name IS NULL
    BEGIN DELETE FROM states WHERE customer = NEW.code; END
    """,
    """
    CREATE TRIGGER states_of_the_imported AFTER INSERT ON imported
    BEGIN DELETE FROM states WHERE customer = coalesce(
        (SELECT profile FROM members WHERE member = NEW.customer), NEW.customer
    ); END
    """,
    """
    CREATE TRIGGER states_of_the_merged AFTER INSERT ON merges
    BEGIN DELETE FROM states WHERE customer IN (NEW.member, NEW.profile); END
    """,
    # Runs once per append, which moves the log's offset last.
    """
    CREATE TRIGGER states_of_the_past AFTER UPDATE OF "offset" ON log
    BEGIN
        DELETE FROM states WHERE customer IN (
            SELECT coalesce(members.profile, events.customer)
            FROM events LEFT JOIN members ON members.member = events.customer
            WHERE events."offset" > OLD."offset" AND (events.received < OLD.received OR members.member IS NOT NULL)
        );
    END
    """,
)

NEWEST = "states_of_the_imported"
"""The trigger that a database has when it has all of the schema."""

_FITTING = """
FROM customers LEFT JOIN members ON members.member = customers.code
LEFT JOIN states ON states.customer = coalesce(members.profile, customers.code)
    AND states.fingerprint = ?
    AND states."offset" >= coalesce((
        SELECT "offset" FROM events WHERE customer = coalesce(members.profile, customers.code)
        ORDER BY received DESC, "offset" DESC LIMIT 1
    ), 0)
"""

LOAD = f"SELECT states.received, states.state {_FITTING} WHERE customers.name = ?"
"""The state of a customer's profile, NULL when there is none that fits; no row when the log does not know the name."""

LOAD_MANY = f"""
SELECT customers.name, coalesce(members.profile, customers.code), states.state {_FITTING} WHERE customers.name IN ({{}})
"""
"""The same for many customers, each with the code of its profile."""

PROFILES_BY_CODE = f"""
SELECT customers.code, customers.name, states.state {_FITTING}
WHERE customers.code IN ({{}}) AND customers.name IS NOT NULL AND members.member IS NULL ORDER BY customers.code
"""
"""The profiles with these codes, each with its name and its state; NULL when there is none that fits."""

STALE = stale("?", "?")

PUT = """
INSERT INTO states (customer, fingerprint, "offset", received, state) VALUES {}
ON CONFLICT (customer) DO UPDATE SET
    fingerprint = excluded.fingerprint, "offset" = excluded."offset", received = excluded.received,
    state = excluded.state
"""

PUT_REPLAYED = """
INSERT OR REPLACE INTO states (customer, fingerprint, "offset", received, state)
SELECT :customer, :fingerprint, :offset, :received, :state
WHERE :offset >= coalesce((SELECT max("offset") FROM events WHERE customer = :customer), 0)
    AND :offset >= coalesce((SELECT max(last_offset) FROM segments), 0)
    AND NOT EXISTS (SELECT 1 FROM members WHERE member = :customer OR profile = :customer)
"""
"""A state replayed while others wrote is stored only if nothing was written about its customer since."""

# No customer has this code; the row is gone again in the transaction that adds it, yet its pages are written.
PROBE = "INSERT INTO states VALUES (-1, '', 0, 0, zeroblob(8192))"

FITTING = "SELECT customer FROM states WHERE fingerprint = ?"

SWEEP = "SELECT customer, state FROM states WHERE fingerprint = ? AND customer > ? ORDER BY customer LIMIT ?"

CHANGED = """
SELECT coalesce(members.profile, events.customer) AS code
FROM events LEFT JOIN members ON members.member = events.customer WHERE events."offset" > :after
UNION SELECT member FROM merges WHERE "offset" > :after
UNION SELECT profile FROM merges WHERE "offset" > :after
ORDER BY code LIMIT :most
"""

_NEWEST = ", ".join(
    f'coalesce((SELECT max("offset") FROM events WHERE {ABOUT_PEOPLE} AND kind = {int(kind)}), 0)'
    for kind in Kind
    if Kind.IDENTIFY <= kind <= Kind.CONSENT_GRANT
)

NEWEST_ABOUT_PEOPLE = f"SELECT max({_NEWEST})"
"""One lookup at the end of the index for each of the kinds."""

HIGHEST = "SELECT coalesce(max(customer), -1) FROM states"

PROFILES = "SELECT name FROM customers WHERE code IN (SELECT profile FROM members) ORDER BY code"

INVOLVED = "SELECT member FROM members UNION SELECT profile FROM members"

CROWDED = f"""
SELECT customers.name, count(DISTINCT json_extract(properties, '$.anonymous_id')) AS declared
FROM events JOIN customers ON customers.code = customer
WHERE {ABOUT_PEOPLE} AND kind = 90
    AND customer IN (SELECT profile FROM members GROUP BY profile HAVING count(*) >= ?)
GROUP BY customers.name HAVING declared > ?
ORDER BY declared DESC, customers.name
"""

CURRENCIES = """
SELECT DISTINCT upper(substr(properties, instr(properties, '"currency":"') + 12, 3)) AS code FROM events
WHERE kind = 29 AND properties LIKE '%"currency":"___"%' ORDER BY code
"""
