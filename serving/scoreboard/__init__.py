"""All customers in columns: swept now and then (`sweep`), kept as files (`files`), given out (`members`)."""

from serving.scoreboard.files import Generation, Scoreboard
from serving.scoreboard.members import member_columns, member_rows
from serving.scoreboard.sweep import Sweeper, sweep

__all__ = ["Generation", "Scoreboard", "Sweeper", "member_columns", "member_rows", "sweep"]
