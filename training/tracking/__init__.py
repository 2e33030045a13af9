"""The record of a training in MLflow. Only this package uses MLflow.

    waypost                 an experiment: the runs as a whole, with the bundle
    waypost/TARGET          an experiment for each target: its runs, nested under those of `waypost`, and its studies
    models:/waypost         a registered model: the bundle
    models:/TARGET          a registered model for each target

The aliases `champion`, `challenger` and `shadow` of all registered models move together, and follow those of the
promotion log (`models.bundle.promotion_log`). Only the promotion log keeps their history.
"""

from training.tracking import quiet  # isort: skip  # before anything imports MLflow
from training.tracking.recording import record
from training.tracking.registry import follow
from training.tracking.runs import Recorded, Run, TargetRun
from training.tracking.trials import Trial, Trials

__all__ = ["Recorded", "Run", "TargetRun", "Trial", "Trials", "follow", "quiet", "record"]
