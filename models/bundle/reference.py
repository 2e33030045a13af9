"""The distributions of features and scores when a bundle was trained, with which later ones are compared.

A shop's distributions always change a little: customers age, a year has seasons, a week has days. So a reference
keeps, for each column, the distribution and its distances from earlier dates of the same shop (`Baseline.usual_psi`
and others). A change is worth an alarm when it is larger than those.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.bundle.sketch import Sketch
from models.parts.contract import Read, Says

_USUAL = ("usual_psi", "usual_wasserstein", "usual_sameness")


@dataclass(frozen=True, eq=False)
class Baseline:
    """One column: its `sketch`, and its largest distances from the same shop at earlier dates.

    `usual_psi` and `usual_wasserstein` are NaN where there were no earlier dates to compare. `usual_sameness` is the
    largest share of customers that had the same value at any of the dates; NaN counts as a value.
    """

    sketch: Sketch
    usual_psi: float
    usual_wasserstein: float
    usual_sameness: float


@dataclass(frozen=True, eq=False)
class Reference:
    """The shop at the time `now` of a training, microseconds UTC.

    `features` and `scores` (by target) are those of recently active customers. `span` is how far before `now` the
    oldest of the earlier dates is, in microseconds; 0 when there are none.
    """

    role: ClassVar[str] = "reference"
    name: ClassVar[str] = "reference"
    file: ClassVar[str] = "reference.npz"
    says: ClassVar[Says] = {}

    now: int
    span: int
    features: Mapping[str, Baseline]
    scores: Mapping[str, Baseline]

    def files(self) -> dict[str, bytes]:
        """The reference as an npz archive."""
        columns = [*self.features.values(), *self.scores.values()]
        archive = io.BytesIO()
        np.savez(
            archive,
            names=_text([[*self.features], [*self.scores]]),
            times=np.array([self.now, self.span], np.int64),
            sizes=np.array([len(column.sketch.edges) for column in columns], np.int64),
            edges=_joined([column.sketch.edges for column in columns], np.float64),
            counts=_joined([column.sketch.counts for column in columns], np.int64),
            sums=_joined([column.sketch.sums for column in columns], np.float64),
            usual=np.array([[getattr(column, name) for name in _USUAL] for column in columns]).reshape(-1, len(_USUAL)),
        )
        return {self.file: archive.getvalue()}

    @classmethod
    def from_files(cls, read: Read) -> Reference:
        """The reference written by `files`; ValueError when the file is anything else. Nothing is unpickled."""
        content = read(cls.file)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                names, scores = json.loads(archive["names"].tobytes())
                baselines = _baselines(archive)
                now, span = archive["times"].tolist()
        except (BadZipFile, KeyError, EOFError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"Not a reference: {type(error).__name__}: {error}") from error
        features = dict(zip(names, baselines[: len(names)], strict=True))
        return cls(now, span, features, dict(zip(scores, baselines[len(names) :], strict=True)))


def _baselines(archive: Mapping[str, NDArray[np.generic]]) -> list[Baseline]:
    """The columns of an archive, in their order."""
    sizes = np.asarray(archive["sizes"], np.int64)
    edges = np.split(np.asarray(archive["edges"], np.float64), np.cumsum(sizes))
    counts = np.split(np.asarray(archive["counts"], np.int64), np.cumsum(sizes + 2))
    sums = np.split(np.asarray(archive["sums"], np.float64), np.cumsum(sizes + 1))
    usual = np.asarray(archive["usual"], np.float64).tolist()
    return [
        Baseline(Sketch(edges[place], counts[place], sums[place]), *distances) for place, distances in enumerate(usual)
    ]


def _joined(arrays: list[NDArray[np.float64]] | list[NDArray[np.int64]], kind: type[np.generic]) -> NDArray[np.generic]:
    return np.concatenate([np.empty(0, kind), *arrays])


def _text(value: object) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), np.uint8)
