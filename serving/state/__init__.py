"""The customers' states: what a store of them promises (`contract`), and the store beside the SQLite log (`sqlite`)."""

from serving.state.contract import CustomerState, StateStore
from serving.state.sqlite import SqliteStateStore, open_states

__all__ = ["CustomerState", "SqliteStateStore", "StateStore", "open_states"]
