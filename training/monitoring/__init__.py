"""Monitoring of a bundle: drift of features and scores, calibration on later outcomes, and volumes of events.

watch(fold, past, Watched.of(bundle), now, targets)  ->  Report  ->  decide(report)  ->  Action
"""

from training.monitoring.decision import Action, decide
from training.monitoring.report import Alarm, Report, since_of
from training.monitoring.samples import Watched, reference_of
from training.monitoring.watch import fault_report, watch

__all__ = ["Action", "Alarm", "Report", "Watched", "decide", "fault_report", "reference_of", "since_of", "watch"]
