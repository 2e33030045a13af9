"""Slices of a target's rows in a few words: how many there are, and a digest that stands for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from training.rows.dataset import Dataset, Slice, moved

SLICES = ("fit", "stop", "calibrate", "test")


@dataclass(frozen=True, slots=True)
class Rows:
    """One slice: how many rows, of how many customers, how many of them yes, and a digest of them all."""

    digest: str
    rows: int
    customers: int
    yes: int


def described(data: Dataset) -> dict[str, Rows]:
    """Every slice by name."""
    parts = {name: getattr(data, name) for name in SLICES}
    return {
        name: Rows(
            digest_of(rows), len(rows), len(np.unique(rows.customer)), int(moved(data.target, rows.labels).sum())
        )
        for name, rows in parts.items()
    }


def digest_of(rows: Slice) -> str:
    """32 hexadecimal digits that stand for these rows: features, answers, moments and customers."""
    digest = blake2b(digest_size=16)
    for part in (rows.features, rows.labels, rows.cutoff, rows.customer):
        digest.update(np.ascontiguousarray(part).view(np.uint8).data)
    return digest.hexdigest()
