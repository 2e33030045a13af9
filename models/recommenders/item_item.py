"""A recommender by item-item collaborative filtering (Sarwar and others, 2001).

Every item keeps its closest neighbours with weights learnt in training, and an item's score is

    sum over recent items r of  weight(r) x neighbour_weight(r, item)   +   prior x popularity(item)

An item may be its own neighbour: that weight means "buy it again", which groceries need. It counts only for items
that were bought: an item that was only viewed is recommended because of other items, or because it is popular.
Neighbour weights and popularity are never negative, so items that are nobody's neighbour rank by popularity alone,
and ranking a few hundred candidates ranks the whole catalogue.
"""

from __future__ import annotations

import io
import json
import math
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import ClassVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.parts.contract import Read, Says
from models.recommenders.contract import POPULAR, Recent, Recommendation, Touched

_NO_ITEM = -1


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Each item's neighbours in compressed sparse rows: those of item i are at `starts[i]` up to `starts[i + 1]`.

    `starts` is int64[number of items + 1], `items` int32 indexes into the catalogue, `weights` float32.
    """

    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: NDArray[np.float32]


@dataclass(slots=True)
class _Votes:
    """The votes of the recent items: `items[k]` gets `weights[k]` from the recent item `sources[speakers[k]]`."""

    items: NDArray[np.intp]
    weights: NDArray[np.float64]
    speakers: NDArray[np.intp]
    sources: list[int]


_SILENCE = _Votes(np.empty(0, np.intp), np.empty(0), np.empty(0, np.intp), [])


class _Scratch(threading.local):
    """One thread's working memory, as long as the catalogue; `total` and `chosen` are left empty after each use."""

    def __init__(self, size: int) -> None:
        self.total = np.zeros(size)
        self.chosen = np.zeros(size, np.bool_)
        self.position = np.zeros(size, np.intp)


class ItemItem:
    """The recommender by neighbours, or, where there are none, by popularity alone.

    Items of equal score are ordered by popularity, then by their place in `items`.
    """

    role: ClassVar[str] = "recommender"
    name: ClassVar[str] = "item_item"
    file: ClassVar[str] = "recommender.npz"
    says: ClassVar[Says] = {"recommender_tier": ("neighbours", "popularity", "nothing")}

    def __init__(
        self, items: Sequence[str], neighbours: Neighbours, popularity: NDArray[np.float32], prior: float = 1e-3
    ) -> None:
        """`items` are the names of the catalogue, `popularity` float32 of the same length, larger means more popular.

        `prior` is what a popularity of 1 adds to a score. ValueError when the parts do not fit each other.
        """
        self.items = list(items)
        self.neighbours = neighbours
        self.popularity = np.ascontiguousarray(popularity, np.float32)
        self.prior = float(prior)
        self._index = {name: index for index, name in enumerate(self.items)}
        self._check()
        self._lengths = np.diff(neighbours.starts)
        self._base = self.popularity.astype(np.float64) * self.prior
        self._order = np.argsort(-self.popularity, kind="stable")
        self._place = np.empty(len(self.items), np.intp)
        self._place[self._order] = np.arange(len(self.items))
        self._scratch = _Scratch(len(self.items))

    @classmethod
    def without_neighbours(
        cls, items: Sequence[str] = (), popularity: Sequence[float] | NDArray[np.float32] = ()
    ) -> ItemItem:
        """A recommender of the most popular items for everybody; without items it recommends nothing."""
        none = Neighbours(np.zeros(len(items) + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        return cls(items, none, np.asarray(popularity, np.float32))

    def recommend(self, recent: Recent, limit: int, exclude: Collection[str] = ()) -> list[Recommendation]:
        """The best `limit` items, best first, none of them in `exclude`.

        Items the catalogue does not know are ignored; without any known recent item the most popular are given.
        ValueError for a negative limit or weight.
        """
        votes = self._votes(recent)
        indexes, scores = self._rank(votes, limit, exclude)
        reasons = self._reasons(votes, indexes)
        names = map(self.items.__getitem__, indexes.tolist())
        return list(map(Recommendation, names, scores.tolist(), reasons))

    def rank_many(
        self, recents: Sequence[Recent], limit: int, exclude: Sequence[Collection[str]] | None = None
    ) -> NDArray[np.int32]:
        """What `recommend` would give each customer: int32[customers, limit] indexes into `items`, padded with -1."""
        ranked = np.full((len(recents), limit), _NO_ITEM, np.int32)
        for row, recent in enumerate(recents):
            indexes, _ = self._rank(self._votes(recent), limit, () if exclude is None else exclude[row])
            ranked[row, : len(indexes)] = indexes
        return ranked

    def index(self, item: str) -> int | None:
        """The place of `item` in `items`; None when the catalogue does not know it."""
        return self._index.get(item)

    def files(self) -> dict[str, bytes]:
        """The recommender as an npz archive."""
        archive = io.BytesIO()
        np.savez(
            archive,
            names=np.frombuffer(json.dumps(self.items, ensure_ascii=False).encode(), np.uint8),
            starts=self.neighbours.starts,
            neighbours=self.neighbours.items,
            weights=self.neighbours.weights,
            popularity=self.popularity,
            prior=np.float64(self.prior),
        )
        return {self.file: archive.getvalue()}

    @classmethod
    def from_files(cls, read: Read) -> ItemItem:
        """The recommender written by `files`; ValueError when the file is anything else. Nothing is unpickled."""
        content = read(cls.file)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                names = json.loads(archive["names"].tobytes())
                neighbours = Neighbours(archive["starts"], archive["neighbours"], archive["weights"])
                return cls(names, neighbours, archive["popularity"], float(archive["prior"]))
        except (BadZipFile, KeyError, EOFError, TypeError, AttributeError) as error:
            raise ValueError(f"Not a recommender: {type(error).__name__}: {error}") from error

    def _votes(self, recent: Recent) -> _Votes:
        """The neighbours of the known recent items, in the order of `recent`, with weight x neighbour weight."""
        sources, loudness, viewed = [], [], []
        for name, weight, bought in starmap(Touched, recent):
            if not 0.0 <= weight < math.inf:
                raise ValueError(f"The recent item {name!r} has weight {weight}; expected a finite one, 0 or more.")
            source = self._index.get(name)
            if source is not None:
                sources.append(source)
                loudness.append(weight)
                viewed.append(not bought)
        if not sources:
            return _SILENCE
        rows = np.array(sources)
        lengths = self._lengths[rows]
        ends = lengths.cumsum()
        speakers = np.arange(len(sources)).repeat(lengths)
        entries = np.arange(ends[-1]) + (self.neighbours.starts[rows] + lengths - ends)[speakers]
        items = self.neighbours.items.take(entries).astype(np.intp)
        weights = self.neighbours.weights.take(entries) * np.array(loudness, np.float64)[speakers]
        weights[(items == rows[speakers]) & np.array(viewed)[speakers]] = 0.0
        return _Votes(items, weights, speakers, sources)

    def _rank(
        self, votes: _Votes, limit: int, exclude: Collection[str]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Indexes and scores of the best `limit` items that are not excluded, best first."""
        if limit < 0:
            raise ValueError(f"limit is {limit}; expected 0 or more.")
        excluded = {index for name in exclude if (index := self._index.get(name)) is not None}
        wanted = limit + len(excluded)
        # Items without votes rank by popularity, so only the most popular `wanted` of them can be among the best.
        candidates, scores = self._totals(votes, self._order[:wanted])
        if 0 < wanted < len(scores):
            least = np.partition(scores, len(scores) - wanted)[len(scores) - wanted]
            kept = (scores >= least).nonzero()[0]
            candidates, scores = candidates[kept], scores[kept]
        ordered = np.lexsort((self._place[candidates], -scores))
        if excluded:
            ordered = ordered[[index not in excluded for index in candidates[ordered].tolist()]]
        best = ordered[:limit]
        return candidates[best], scores[best]

    def _totals(self, votes: _Votes, popular: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Every item voted for or popular, once each, with its score."""
        scratch = self._scratch
        np.add.at(scratch.total, votes.items, votes.weights)
        every = np.concatenate((votes.items, popular))
        # `position` keeps the last of an item's places, so a place that differs from it is a duplicate.
        places = np.arange(len(every))
        scratch.position[every] = places
        candidates = every[scratch.position.take(every) == places]
        scores = scratch.total.take(candidates) + self._base.take(candidates)
        scratch.total[candidates] = 0.0
        return candidates, scores

    def _reasons(self, votes: _Votes, indexes: NDArray[np.intp]) -> list[str]:
        """The reason of each ranked item: the largest single part of its score, and among equal parts the newest."""
        chosen = self._scratch.chosen
        chosen[indexes] = True
        places = chosen.take(votes.items).nonzero()[0]
        chosen[indexes] = False
        loudest = dict(zip(indexes.tolist(), self._base[indexes].tolist(), strict=True))
        reasons = dict.fromkeys(loudest, POPULAR)
        for index, weight, speaker in zip(
            votes.items[places].tolist(), votes.weights[places].tolist(), votes.speakers[places].tolist(), strict=True
        ):
            if weight > loudest[index]:
                loudest[index] = weight
                reasons[index] = f"because of {self.items[votes.sources[speaker]]}"
        return list(reasons.values())

    def _check(self) -> None:
        """Refuse parts that do not fit, since a wrong index would be a wrong answer or a crash later."""
        size = len(self.items)
        starts, items, weights = self.neighbours.starts, self.neighbours.items, self.neighbours.weights
        if not all(isinstance(name, str) for name in self.items) or len(self._index) != size:
            raise ValueError(f"The catalogue has {size} items of {len(self._index)} names; expected texts, each once.")
        if starts.shape != (size + 1,) or starts[0] != 0 or starts[-1] != len(items) or np.any(np.diff(starts) < 0):
            raise ValueError(f"Neighbour rows do not span {len(items)} entries of {size} items.")
        if items.shape != weights.shape or (len(items) and not 0 <= items.min() <= items.max() < size):
            raise ValueError(f"Neighbours must be indexes from 0 to {size - 1}, each with a weight.")
        if self.popularity.shape != (size,):
            raise ValueError(f"popularity has shape {self.popularity.shape}; expected ({size},).")
        numbers = (weights, self.popularity, np.array(self.prior))
        if not all(np.all(np.isfinite(number) & (number >= 0.0)) for number in numbers):
            raise ValueError("Neighbour weights, popularity and prior must be finite and not negative.")
