"""The model and the features of an answer."""

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
"""The beginning of the example of every answer about customers."""


class ModelStamp(Answer):
    """Which model answered."""

    version: str | None = Field(description="Version of the model bundle; null when none is loaded.")
    fingerprint: str = Field(description="Fingerprint of the features the model was trained on.")


class Stamped(Answer):
    """The fields of every answer about customers."""

    as_of: datetime = Field(description="The moment that the answer is about.")
    model: ModelStamp


def stamp(worker: Worker, version: str | None) -> ModelStamp:
    """The stamp of a version of the model and the running features."""
    return ModelStamp(version=version, fingerprint=worker.fold.fingerprint)


def version_of(champion: Champion | None) -> str | None:
    """The version of a champion; None without one."""
    return champion.bundle.version if champion else None
