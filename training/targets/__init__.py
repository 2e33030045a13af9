"""What is predicted: questions about a customer that the log will answer, each one declaration.

A question is asked only of customers in its *scope*, because a number that mixes those it makes no sense for with the
rest describes neither. `catalogue.py` holds the targets of the house, `declared.py` reads those of a shop.
"""

from training.targets.catalogue import TARGETS
from training.targets.declared import BadTarget, UnknownTarget, chosen, targets
from training.targets.target import Calendar, InVisit, Target

__all__ = ["TARGETS", "BadTarget", "Calendar", "InVisit", "Target", "UnknownTarget", "chosen", "targets"]
