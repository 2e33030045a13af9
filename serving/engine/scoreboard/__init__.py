"""All customers in columns: swept now and then (`sweep`), refreshed at once when they change (`refresh`), both on a
schedule (`scheduler`), kept as files (`board`, `files`), read by segment (`members`)."""

from serving.engine.scoreboard.board import Scoreboard
from serving.engine.scoreboard.files import Generation
from serving.engine.scoreboard.members import member_columns, member_reasons, member_rows
from serving.engine.scoreboard.refresh import refresh
from serving.engine.scoreboard.scheduler import Sweeper
from serving.engine.scoreboard.sweep import sweep

__all__ = ["Generation", "Scoreboard", "Sweeper", "member_columns", "member_reasons", "member_rows", "refresh", "sweep"]
