"""The targets: questions about a customer that the log answers later, one declaration each.

A question is asked only about customers in its *scope*: a figure that included customers for whom the question makes no
sense would describe nobody. `catalogue.py` holds the built-in targets, `declared.py` reads those of a shop.
"""

from training.targets.catalogue import TARGETS
from training.targets.declared import BadTarget, UnknownTarget, chosen, targets
from training.targets.target import Calendar, InVisit, Target

__all__ = ["TARGETS", "BadTarget", "Calendar", "InVisit", "Target", "UnknownTarget", "chosen", "targets"]
