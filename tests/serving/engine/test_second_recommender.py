"""A second recommender is a class with its files and one entry in the catalogue: written, read and served."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from typing import ClassVar

import pytest

from features.journey import JOURNEY
from models.bundle import catalogue
from models.bundle.bundle import Bundle, BundleError
from models.parts.contract import Read, Says
from models.recommenders.contract import Recent, Recommendation
from tests.serving.conftest import NOW, Place
from tests.serving.shop import bundle, customer


class Newest:
    """What is new, for everybody: a toy."""

    role: ClassVar[str] = "recommender"
    name: ClassVar[str] = "newest"
    file: ClassVar[str] = "newest.json"
    says: ClassVar[Says] = {"recommender_tier": ("newest",)}

    def __init__(self, items: list[str]) -> None:
        self.items = items

    def recommend(self, recent: Recent, limit: int, exclude: Collection[str] = ()) -> list[Recommendation]:
        """The newest items, whoever asks."""
        wanted = [item for item in reversed(self.items) if item not in exclude]
        return [Recommendation(item, 1.0 / (place + 1), "new") for place, item in enumerate(wanted[:limit])]

    def files(self) -> dict[str, bytes]:
        """The items, oldest first."""
        return {self.file: json.dumps(self.items).encode()}

    @classmethod
    def from_files(cls, read: Read) -> Newest:
        """The recommender written by `files`."""
        return cls(list(json.loads(read(cls.file))))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """The shop's bundle with the toy in place of its recommender."""
    monkeypatch.setattr(catalogue, "PARTS", (*catalogue.PARTS, Newest))
    usual = bundle(JOURNEY)
    return Bundle(usual.models, [Newest(["tea", "salt", "figs"])], replace(usual.manifest, recommender_tier="newest"))


def test_it_is_written_read_and_served(made: Bundle, place: Place) -> None:
    place.champion = place.folder / "champion"
    made.save(place.champion)
    assert (place.champion / "newest.json").is_file()
    assert not (place.champion / "recommender.npz").exists()
    engine = place.engine()
    try:
        assert engine.champions.require().bundle.version == made.version
        for who in (customer(0), "nobody"):
            found = engine.recommend(who, 2, NOW, exclude=["salt"])
            assert [(each.item, each.reason) for each in found.items] == [("figs", "new"), ("tea", "new")]
    finally:
        engine.states.close()


def test_a_release_without_the_entry_says_which_file_it_does_not_know(
    made: Bundle, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.save(place.folder / "champion")
    monkeypatch.undo()
    with pytest.raises(BundleError, match=r"lists newest\.json, which no part of this release reads"):
        Bundle.load(place.folder / "champion", JOURNEY.fingerprint, JOURNEY.names)


def test_the_manifest_has_to_say_what_answers(made: Bundle) -> None:
    with pytest.raises(ValueError, match="says recommender_tier 'neighbours', its recommender has 'newest'"):
        made.changed(replace(made.manifest, recommender_tier="neighbours"))
