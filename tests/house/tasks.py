"""Where things are done: tasks as a newcomer would put them, and the file in which each is done.

Each names a piece of text that stands in the file as long as the answer is true.
"""

from typing import NamedTuple


class Task(NamedTuple):
    """Something to do, the file in which it is done, and what stands there."""

    task: str
    file: str
    holds: str


TASKS = (
    Task("Add a feature", "features/journey.py", "class Journey"),
    Task("Add a kind of event", "features/events.py", "class Kind"),
    Task("Change when a customer is at the stage of consideration", "features/aggregates/stages.py", "def "),
    Task("Make `Order Completed` of another vendor a purchase", "features/sources/fields/names.py", "Order Completed"),
    Task("Read amounts such as `1 234,50`", "features/sources/fields/numbers.py", "def "),
    Task("Decide which properties of events may be kept", "features/sources/fields/privacy.py", "class Privacy"),
    Task("Mend how a CSV line with an open quote is read", "features/sources/readers/csvfile.py", "class CsvReading"),
    Task("Support a field of Segment's identify message", "features/sources/formats/segment.py", "identify"),
    Task("Change the tables of the SQLite log", "features/log/sqlite/schema.py", "CREATE TABLE"),
    Task("Promise something new of every event log", "features/log/contract/events.py", "Protocol"),
    Task("Change which ids may be joined into one customer", "features/identity/rules.py", "def joined"),
    Task("Put a feature's value into other words", "features/catalogues/phrases.py", "def "),
    Task("Add a question that models answer about customers", "training/targets/catalogue.py", "TARGETS"),
    Task("Change what counts as the customer having come back", "features/outcomes.py", "class "),
    Task("Change at which moments customers are looked at for training", "training/rows/schedule.py", "class Schedule"),
    Task("Change a line that a model has to cross before it may answer", "training/evaluation/gates.py", "class Gate"),
    Task("Add a simple rule that models have to beat", "training/evaluation/baselines.py", "def "),
    Task("Change how the interval of a probability is made", "models/prediction/interval.py", "INTERVAL"),
    Task("Change how often a coupon may be offered to a customer", "models/decisions/actions/retention.py", "Action("),
    Task("Change how likely the best action is chosen", "models/decisions/policy.py", "def propensities"),
    Task("Change what the server does when a bundle on disk is damaged", "models/bundle/loaded.py", "class Champions"),
    Task("Add a segment that marketers can pull", "insights/segments.py", "SEGMENTS"),
    Task("Add a key figure", "insights/kpis.py", "KPIS"),
    Task("Change what an erasure removes", "serving/engine/erasure.py", "def erasing"),
    Task("Change how many events are committed together", "serving/process/group_commit.py", "MOST_EVENTS_TOGETHER"),
    Task("Let another scope of keys open a route", "serving/access/scopes.py", "OPENS"),
    Task("Add a field to the answer about a decision", "serving/http/resources/decisions.py", "class DecisionAnswer"),
    Task("Give a failure of the API another status", "serving/http/problems.py", "FAILURES"),
    Task("Change how long a server drains before it stops", "serving/process/shutdown.py", "drain_seconds"),
    Task("Add an environment variable of the server", "serving/settings.py", "WAYPOST_STORE"),
)
