"""The actions of the shop, per stage of the journey: the catalogue a policy chooses from.

To add an action, add one entry to the file of its stage; decisions, laws, docs and API pick it up.
"""

from features.events import Channel, Stage
from features.grammar import Constant
from models.decisions.actions import advocacy, awareness, consideration, purchase, retention
from models.decisions.actions.action import Action

__all__ = ["ACTIONS", "DO_NOTHING", "Action"]

DO_NOTHING = Action(
    name="do_nothing",
    stages=tuple(Stage),
    channel=Channel.UNKNOWN,
    cost=0.0,
    value=Constant(0.0),
    conditions=(),
    every=0,
    doc="Leave the customer in peace.",
    assumption="The measure of all others: it adds nothing and costs nothing.",
)

ACTIONS: tuple[Action, ...] = (
    *awareness.ACTIONS,
    *consideration.ACTIONS,
    *purchase.ACTIONS,
    *retention.ACTIONS,
    *advocacy.ACTIONS,
    DO_NOTHING,
)
"""Every action, in the order of the stages.

Frequency caps rest on `Journey.recent_actions`, which remembers the last time of a fixed number of actions: no more
than that many may be possible for one customer before the first order, or after it.
"""
