"""Which model and which features an answer is of."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from models.bundle.loaded import Champion
from serving.http.schemas.answer import Answer
from serving.process.worker import Worker

STAMP_EXAMPLE = {
    "as_of": "2026-11-21T20:41:11.323000Z",
    "model": {"version": "9c41d2ab07e5", "fingerprint": "6f0d1f3a9b8c2e47"},
}
"""What the example of every answer about customers begins with."""


class ModelStamp(Answer):
    """Which model answered."""

    version: str | None = Field(description="Version of the model bundle; null when none is loaded.")
    fingerprint: str = Field(description="Fingerprint of the features the model was trained on.")


class Stamped(Answer):
    """What every answer about customers carries."""

    as_of: datetime = Field(description="The moment the answer speaks of.")
    model: ModelStamp


def stamp(worker: Worker, version: str | None) -> ModelStamp:
    """Which model and which features answered."""
    return ModelStamp(version=version, fingerprint=worker.fold.fingerprint)


def version_of(champion: Champion | None) -> str | None:
    """The version of a champion; None without one."""
    return champion.bundle.version if champion else None
