"""Descriptions of the slices of a target's rows: their numbers, and a digest."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from training.rows.dataset import Dataset, Slice, moved

SLICES = ("fit", "stop", "calibrate", "test")


@dataclass(frozen=True, slots=True)
class Rows:
    """One slice: the numbers of rows, of customers and of yes, and a digest of the rows."""

    digest: str
    rows: int
    customers: int
    yes: int


def described(data: Dataset) -> dict[str, Rows]:
    """The description of every slice, by name."""
    parts = {name: getattr(data, name) for name in SLICES}
    return {
        name: Rows(
            digest_of(rows), len(rows), len(np.unique(rows.customer)), int(moved(data.target, rows.labels).sum())
        )
        for name, rows in parts.items()
    }


def digest_of(rows: Slice) -> str:
    """A digest, 32 hexadecimal digits, of these rows: features, labels, cutoffs and customers."""
    digest = blake2b(digest_size=16)
    for part in (rows.features, rows.labels, rows.cutoff, rows.customer):
        digest.update(np.ascontiguousarray(part).view(np.uint8).data)
    return digest.hexdigest()
