"""Laws of what a bundle holds: files give the part back, and what is damaged, missing or of nobody is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from models.bundle import catalogue
from models.bundle.bundle import MANIFEST, Bundle, BundleError, Manifest
from models.bundle.catalogue import FORMS, PARTS, REQUIRED
from models.parts.contract import Part
from tests.models.bundle.samples import FINGERPRINT, NAMES, manifest, models, parts, whole

WRITTEN_BEFORE = "727bb9c2e0ff"
"""The version of the sample as written by the release before there was a catalogue: its files, to the byte."""

FILES = sorted(catalogue.contents(models(), {part.role: part for part in parts()}))

every_part = pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.name)
every_file = pytest.mark.parametrize("file", FILES)


def load(place: Path) -> Bundle:
    return Bundle.load(place, FINGERPRINT, NAMES)


def rewrite(place: Path, change: Callable[[dict[str, str]], object]) -> None:
    """Change the list of files of a bundle, and have the version go with it."""
    fields = json.loads((place / MANIFEST).read_text())
    change(fields["files"])
    fields["version"] = Manifest.from_fields(fields).hashed(fields["files"])
    (place / MANIFEST).write_text(json.dumps(fields))


@every_part
def test_files_give_the_part_back(kind: type[Part]) -> None:
    (part,) = (each for each in parts() if type(each) is kind)
    files = part.files()
    assert kind.file in files
    again = kind.from_files(files.__getitem__)
    assert type(again) is kind
    assert again.files() == files == part.files()


@pytest.mark.parametrize("form", FORMS)
def test_files_give_the_model_back(form: str) -> None:
    made = [model for model in models().values() if model.form == form]
    assert made
    for model in made:
        files = model.files()
        again = FORMS[form].from_files(model.target, model.tier.name, files.__getitem__, NAMES)
        assert again.files() == files == model.files()
        assert again.says == model.says


@every_part
def test_the_manifest_says_what_it_is(kind: type[Part]) -> None:
    assert all(getattr(manifest(), field) in expected for field, expected in kind.says.items())


def test_names_and_files_are_of_one_part_each() -> None:
    assert len({kind.file for kind in PARTS}) == len({kind.name for kind in PARTS}) == len(PARTS)
    assert {kind.role for kind in PARTS} >= set(REQUIRED)


def test_a_bundle_of_all_of_them_is_what_it_was_before(tmp_path: Path) -> None:
    whole().save(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*FILES, MANIFEST])
    read = load(tmp_path)
    assert read.version == whole().version == WRITTEN_BEFORE
    assert catalogue.contents(read.models, read.parts) == catalogue.contents(whole().models, whole().parts)


@every_part
def test_a_part_that_is_not_listed_is_absent_or_asked_for(kind: type[Part], tmp_path: Path) -> None:
    whole().save(tmp_path)
    rewrite(tmp_path, lambda files: files.pop(kind.file))
    if kind.role not in REQUIRED:
        assert set(load(tmp_path).parts) == {part.role for part in parts()} - {kind.role}
        return
    with pytest.raises(
        BundleError, match=rf"damaged: It holds nothing as its {kind.role}; expected one: .*{kind.file}"
    ):
        load(tmp_path)


@every_file
def test_a_file_that_is_lost_or_changed_is_named(file: str, tmp_path: Path) -> None:
    whole().save(tmp_path)
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content + b" ")
    with pytest.raises(BundleError, match=f"damaged: {file} is not the file that was written.*`waypost train`"):
        load(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(BundleError, match=f"damaged: {file} is unreadable.*`waypost train`"):
        load(tmp_path)


def put(place: Path, file: str, content: bytes) -> None:
    """Write a file of a bundle as if training had written it so."""
    (place / file).write_bytes(content)
    rewrite(place, lambda files: files.update({file: hashlib.sha256(content).hexdigest()}))


NONSENSE = [b"", b"nonsense", b"[]", b"{}", b"null", b"1", b'"text"', b"\xff\xfe", b"PK\x03\x04"]


@every_file
@pytest.mark.parametrize("content", NONSENSE)
def test_a_file_of_something_else_is_refused(file: str, content: bytes, tmp_path: Path) -> None:
    whole().save(tmp_path)
    put(tmp_path, file, content)
    with pytest.raises(BundleError, match=r"damaged: .*`waypost train`"):
        load(tmp_path)


@pytest.mark.parametrize("file", [file for file in FILES if file.endswith(".json")])
@pytest.mark.parametrize("value", [None, "text", [], {}, [None], ["text"], {"kind": "identity", "shift": []}])
def test_a_value_of_another_kind_is_refused(file: str, value: object, tmp_path: Path) -> None:
    whole().save(tmp_path)
    written = json.loads((tmp_path / file).read_bytes())
    for field in written:
        put(tmp_path, file, json.dumps(written | {field: value}).encode())
        with pytest.raises(BundleError, match=r"damaged: .*`waypost train`"):
            load(tmp_path)


def test_a_file_of_no_known_part_is_refused_with_its_name(tmp_path: Path) -> None:
    whole().save(tmp_path)
    put(tmp_path, "weather.npz", b"of a later release")
    with pytest.raises(
        BundleError, match=r"lists weather.npz, which no part of this release reads; expected recommender"
    ):
        load(tmp_path)


def test_two_of_a_role_or_none_make_no_bundle() -> None:
    recommender, reference = parts()
    with pytest.raises(ValueError, match="holds item_item and item_item as its recommender; expected one"):
        Bundle(models(), [recommender, recommender, reference], manifest())
    with pytest.raises(ValueError, match=r"holds nothing as its recommender; expected one: recommender.npz"):
        Bundle(models(), [reference], manifest())


def test_a_part_outside_the_catalogue_makes_no_bundle() -> None:
    class Weather(type(parts()[1])):  # type: ignore[misc]
        """Nobody would read it again."""

    recommender, reference = parts()
    with pytest.raises(ValueError, match="Weather is no part of a bundle: expected one of item_item, reference"):
        Bundle(models(), [recommender, Weather(*vars(reference).values())], manifest())


def test_a_manifest_that_says_otherwise_makes_no_bundle() -> None:
    fields = manifest().to_fields() | {"recommender_tier": "two_towers"}
    with pytest.raises(
        ValueError, match="manifest says recommender_tier 'two_towers', its recommender has 'neighbours'"
    ):
        Bundle(models(), parts(), Manifest.from_fields(fields))
