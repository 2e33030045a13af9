"""The record of a training as plain data: the run as a whole, and the run of each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.bundle.bundle import Bundle
from training.rows.slices import Rows


@dataclass(frozen=True, eq=False)
class TargetRun:
    """The run of one target. `slices` are by name (fit, stop, calibrate, test), `files` are artifacts by name.

    `doc` is the question in a sentence, `summary` a short model card, `example` a few rows of features, float32[n, f].
    """

    doc: str
    summary: str
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    slices: Mapping[str, Rows]
    files: Mapping[str, bytes]
    example: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Run:
    """One training run, and the runs of the targets that it trained.

    `log_digest` identifies the data, `files` are artifacts by name, `example` is a few rows of features, float32[n, f];
    `at` is microseconds UTC. `champion` says whether the bundle became the champion; otherwise it is the challenger.
    """

    name: str
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    log_digest: str
    files: Mapping[str, bytes]
    example: NDArray[np.float32]
    bundle: Bundle
    targets: Mapping[str, TargetRun]
    champion: bool
    at: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where a run was recorded, as which version of the registered model `waypost`, and under which alias.

    `targets` are the runs of the targets by name.
    """

    store: str
    run_id: str
    version: str
    alias: str
    targets: Mapping[str, str] = field(default_factory=dict)
