"""What every event log promises, whatever stores it: four small protocols (`EventStore`, `IdentityStore`,
`DeadLetterStore`, `TrainingStore`), and `EventLog`, which is all of them. A reader of a log asks for the smallest of
them that it needs.

The *log order* is `(received, offset)`: when an event was received, then the order of arrival. Names of customers,
items and categories are kept once, as dense integer codes beside the events; a code means something in one log
only, so anything that leaves a log carries names.
"""

from features.log.contract.dead_letters import DeadLetter, DeadLetterStore
from features.log.contract.errors import (
    HistoryUnreachable,
    LogBusy,
    LogCorrupt,
    LogDenied,
    LogError,
    LogFull,
    LogMissing,
    LogVersion,
)
from features.log.contract.events import BATCH, CHUNK, IMPORT_BATCH, Appended, EventBatch, EventStore, Records
from features.log.contract.identity import MERGE, MOST_JOINED, IdentityStore
from features.log.contract.keeping import DatabaseLog, Sealable
from features.log.contract.log import Erased, EventLog
from features.log.contract.names import Vocabulary
from features.log.contract.trainings import Training, TrainingStore

__all__ = [
    "BATCH",
    "CHUNK",
    "IMPORT_BATCH",
    "MERGE",
    "MOST_JOINED",
    "Appended",
    "DatabaseLog",
    "DeadLetter",
    "DeadLetterStore",
    "Erased",
    "EventBatch",
    "EventLog",
    "EventStore",
    "HistoryUnreachable",
    "IdentityStore",
    "LogBusy",
    "LogCorrupt",
    "LogDenied",
    "LogError",
    "LogFull",
    "LogMissing",
    "LogVersion",
    "Records",
    "Sealable",
    "Training",
    "TrainingStore",
    "Vocabulary",
]
