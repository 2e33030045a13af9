"""All customers in columns: swept now and then (`sweep`), those who change refreshed at once (`refresh`), when and by
whom (`rounds`), kept as files (`board`, `files`), given out (`members`)."""

from serving.scoreboard.board import Scoreboard
from serving.scoreboard.files import Generation
from serving.scoreboard.members import member_columns, member_reasons, member_rows
from serving.scoreboard.refresh import refresh
from serving.scoreboard.rounds import Sweeper
from serving.scoreboard.sweep import sweep

__all__ = ["Generation", "Scoreboard", "Sweeper", "member_columns", "member_reasons", "member_rows", "refresh", "sweep"]
