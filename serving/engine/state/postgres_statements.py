"""The table of the states in PostgreSQL, the triggers that keep it correct, and the statements on it.

A state is stored under the code of its profile and has folded every event of the profile up to `offset`. Later live
events of the profile's own id have greater offsets, which shows that the state is behind. Everything else that makes a
state wrong (an event of the past, an import, an event of a member, a merge or its undoing, an erasure) deletes it by a
trigger, whichever process wrote that. When an event leaves the database for the history, a state that has not folded it
is deleted too.
"""

from __future__ import annotations

from features.log.postgres.reading import RECORD
from serving.engine.state.statements import stale

# A state is overwritten again and again: with room left in its page, that touches no index.
SCHEMA = """
CREATE TABLE IF NOT EXISTS states (
    customer integer PRIMARY KEY,
    fingerprint text NOT NULL,
    "offset" bigint NOT NULL,
    received bigint NOT NULL,
    state bytea NOT NULL
) WITH (fillfactor = 50);
ALTER TABLE states ALTER state SET STORAGE PLAIN, ALTER state SET STATISTICS 0;

CREATE OR REPLACE FUNCTION forget_states_of_the_past() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM states WHERE customer IN (
        SELECT coalesce(members.profile, added.customer)
        FROM added LEFT JOIN members ON members.member = added.customer
        WHERE added.received < (SELECT received FROM log) OR members.member IS NOT NULL
    );
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER states_of_the_past AFTER INSERT ON events REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION forget_states_of_the_past();

CREATE OR REPLACE FUNCTION forget_states_of_the_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM states USING (SELECT customer, max("offset") AS newest FROM removed GROUP BY customer) AS sealed
    WHERE states.customer = sealed.customer AND states."offset" < sealed.newest;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER states_of_the_sealed AFTER DELETE ON events REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION forget_states_of_the_sealed();

DROP TRIGGER IF EXISTS states_of_the_erased ON events;
CREATE OR REPLACE FUNCTION forget_states_of_the_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM states WHERE customer = NEW.code;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER states_of_the_erased AFTER UPDATE OF name ON customers
FOR EACH ROW WHEN (NEW.name IS NULL) EXECUTE FUNCTION forget_states_of_the_erased();

CREATE OR REPLACE FUNCTION forget_states_of_the_imported() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM states WHERE customer IN (
        SELECT coalesce(members.profile, added.customer)
        FROM added LEFT JOIN members ON members.member = added.customer
    );
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER states_of_the_imported AFTER INSERT ON imported REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION forget_states_of_the_imported();

CREATE OR REPLACE FUNCTION forget_states_of_the_merged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM states WHERE customer IN (SELECT member FROM added UNION SELECT profile FROM added);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER states_of_the_merged AFTER INSERT ON merges REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION forget_states_of_the_merged();
"""

NEWEST = "states_of_the_imported"
"""The trigger that a database has when it has all of the schema."""

_FITTING = """
FROM customers LEFT JOIN members ON members.member = customers.code
LEFT JOIN states ON states.customer = coalesce(members.profile, customers.code)
    AND states.fingerprint = %b::text
    AND states."offset" >= coalesce((
        SELECT "offset" FROM events WHERE customer = coalesce(members.profile, customers.code)
        ORDER BY received DESC, "offset" DESC LIMIT 1
    ), 0)
"""

LOAD = f"SELECT states.received, states.state {_FITTING} WHERE customers.name = %b::text"
"""The state of a customer's profile, NULL when there is none that fits; no row when the log does not know the name."""

LOAD_MANY = f"""
SELECT customers.name, coalesce(members.profile, customers.code), states.state {_FITTING}
WHERE customers.name = ANY(%b::text[])
"""
"""The same for many customers, each with the code of its profile."""

HISTORIES = f"""
WITH own AS (
    SELECT DISTINCT coalesce(profile, code) AS profile FROM customers LEFT JOIN members ON member = code
    WHERE name = ANY(%b::text[])
), codes AS (
    SELECT profile, profile AS code FROM own
    UNION ALL SELECT profile, member FROM members JOIN own USING (profile)
)
SELECT profile, {RECORD} FROM events JOIN codes ON codes.code = events.customer ORDER BY profile, received, "offset"
"""
"""The events of the profiles of some customers, one profile after the other, each in log order."""

PROFILES_BY_CODE = f"""
SELECT customers.code, customers.name, states.state {_FITTING}
WHERE customers.code = ANY(%b::int4[]) AND customers.name IS NOT NULL AND members.member IS NULL ORDER BY customers.code
"""
"""The profiles with these codes, each with its name and its state; NULL when there is none that fits."""

STALE = stale("%b::text", "%b::int8")

_OVERWRITE = """
ON CONFLICT (customer) DO UPDATE SET
    fingerprint = excluded.fingerprint, "offset" = excluded."offset", received = excluded.received,
    state = excluded.state
"""

PUT = f"""
INSERT INTO states (customer, fingerprint, "offset", received, state)
SELECT customer, %b::text, %b::int8, received, state
FROM unnest(%b::int4[], %b::int8[], %b::bytea[]) AS put (customer, received, state) {_OVERWRITE}
"""
"""The states of some profiles, by rising code."""

PUT_REPLAYED = f"""
WITH at AS (SELECT %b::text AS fingerprint, %b::int8 AS "offset")
INSERT INTO states (customer, fingerprint, "offset", received, state)
SELECT customer, fingerprint, "offset", received, state
FROM at, unnest(%b::int4[], %b::int8[], %b::bytea[]) AS put (customer, received, state)
WHERE at."offset" >= coalesce((SELECT max("offset") FROM events WHERE events.customer = put.customer), 0)
    AND at."offset" >= coalesce((SELECT max(last_offset) FROM segments), 0)
    AND NOT EXISTS (SELECT FROM members WHERE put.customer IN (member, profile)) {_OVERWRITE}
"""
"""A state replayed while others wrote is stored only if nothing was written about its customer since."""

# No customer has this code; the row is gone again in the transaction that adds it, yet its pages are written.
PROBE = "INSERT INTO states VALUES (-1, '', 0, 0, decode(repeat('00', 4096), 'hex'))"

FITTING = "SELECT customer FROM states WHERE fingerprint = %b::text"

SWEEP = """
SELECT customer, state FROM states WHERE fingerprint = %b::text AND customer > %b::int4 ORDER BY customer LIMIT %b::int8
"""

CHANGED = """
WITH asked AS (SELECT %b::int8 AS after)
SELECT coalesce(members.profile, events.customer) AS code
FROM events LEFT JOIN members ON members.member = events.customer WHERE events."offset" > (SELECT after FROM asked)
UNION SELECT member FROM merges WHERE "offset" > (SELECT after FROM asked)
UNION SELECT profile FROM merges WHERE "offset" > (SELECT after FROM asked)
ORDER BY code LIMIT %b::int8
"""

HIGHEST = "SELECT coalesce(max(customer), -1) FROM states"

PROFILES = "SELECT name FROM customers WHERE code IN (SELECT profile FROM members) ORDER BY code"

INVOLVED = "SELECT member FROM members UNION SELECT profile FROM members"

CUSTOMERS_WITH = """
SELECT DISTINCT customers.name FROM events JOIN customers ON customers.code = customer
WHERE {known} kind = {kind} AND "offset" > %b::int8
"""

CROWDED = """
SELECT customers.name, count(DISTINCT substring(properties from '"anonymous_id":"([^"]*)"')) AS declared
FROM events JOIN customers ON customers.code = customer
WHERE kind BETWEEN 90 AND 93 AND kind = 90
    AND customer IN (SELECT profile FROM members GROUP BY profile HAVING count(*) >= %b::int8)
GROUP BY customers.name HAVING count(DISTINCT substring(properties from '"anonymous_id":"([^"]*)"')) > %b::int8
ORDER BY declared DESC, customers.name
"""

CURRENCIES = """
SELECT DISTINCT upper(substring(properties from '"currency":"([A-Za-z]{3})"')) AS code FROM events
WHERE kind = 29 AND properties ~ '"currency":"[A-Za-z]{3}"' ORDER BY code
"""
