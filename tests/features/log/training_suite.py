"""The models that were trained on a log."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from features.log.contract import Training, TrainingStore
from tests.features.log.base import StoreSuite
from tests.features.log.samples import START


class TrainingSuite(StoreSuite):
    """The contract of `features.log.contract.TrainingStore`."""

    def test_trainings_are_remembered_oldest_first(self, log: TrainingStore, place: Path) -> None:
        assert log.trainings() == []
        trainings = [Training("m-2", START + 9, START + 10), Training("m-1", START, START + 20)]
        for training in trainings:
            log.add_training(training)
        log.add_training(trainings[0])
        with closing(self.open(place)) as again:
            assert log.trainings() == again.trainings() == trainings
