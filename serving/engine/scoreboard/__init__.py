"""All customers in columns: swept now and then (`sweep`), those who change refreshed at once (`refresh`), when and by
whom (`rounds`), kept as files (`board`, `files`), given out (`members`)."""

from serving.engine.scoreboard.board import Scoreboard
from serving.engine.scoreboard.files import Generation
from serving.engine.scoreboard.members import member_columns, member_reasons, member_rows
from serving.engine.scoreboard.refresh import refresh
from serving.engine.scoreboard.scheduler import Sweeper
from serving.engine.scoreboard.sweep import sweep

__all__ = ["Generation", "Scoreboard", "Sweeper", "member_columns", "member_reasons", "member_rows", "refresh", "sweep"]
