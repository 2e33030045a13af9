"""A bundle: all that the server needs from training, in one directory of text and npz files.

    bundle.json                    the manifest, and the SHA-256 of every other file
    TARGET.TIER.txt or .json       a target's model, of its tier
    TARGET.scorer.json             a target's calibration, intervals and ranks
    recommender.npz                the recommender, and likewise the other parts of `models.bundle.catalogue`:
    reference.npz                  distributions of features and scores, for the monitor; absent without customers

A bundle is written beside its place and moved there whole. It is loaded only by the fold it was trained
with, because the fold defines the features: a model fed by another fold would answer confidently and wrongly.
Nothing is unpickled, and reading needs only numpy and LightGBM's C library.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from features.files import version
from models.bundle.catalogue import PARTS, Model, by_role, check, contents, read_models, read_parts
from models.bundle.manifest import FORMAT, Manifest, TargetCard
from models.bundle.reference import Reference
from models.parts.contract import Part
from models.prediction.amount import AmountScorer
from models.prediction.next_stage import StageScorer
from models.prediction.scorer import Scorer
from models.recommenders.contract import Recommender

MANIFEST = "bundle.json"

__all__ = [
    "FORMAT",
    "MANIFEST",
    "Bundle",
    "BundleError",
    "Manifest",
    "Model",
    "StaleBundle",
    "TargetCard",
    "read_manifest",
]


class BundleError(Exception):
    """A bundle is missing, damaged or of an unknown format, or cannot be written."""


class StaleBundle(BundleError):
    """A bundle was made with another fold than the running one."""


class Bundle:
    """Models, parts and manifest that belong together. Never changed once made.

    `models` are all models by target; `scorers`, `amounts` and `stages` are those of one form. `parts` are the other
    members by role; two of them are `recommender` and `reference`, which may be None.
    """

    def __init__(self, models: Mapping[str, Model], parts: Collection[Part], manifest: Manifest) -> None:
        """ValueError when they disagree: a target without a model, a model of other features, a wrong card."""
        self._assemble(models, parts, manifest, _digests(contents(models, by_role(parts))))

    def _assemble(
        self, models: Mapping[str, Model], parts: Collection[Part], manifest: Manifest, digests: Mapping[str, str]
    ) -> None:
        self.models, self.parts = dict(models), by_role(parts)
        check(self.models, self.parts, manifest)
        self.scorers = {name: model for name, model in models.items() if isinstance(model, Scorer)}
        self.amounts = {name: model for name, model in models.items() if isinstance(model, AmountScorer)}
        self.stages = {name: model for name, model in models.items() if isinstance(model, StageScorer)}
        self.recommender = cast("Recommender", self.parts["recommender"])
        self.reference = cast("Reference | None", self.parts.get("reference"))
        self.manifest = replace(manifest, version=manifest.hashed(digests))

    def changed(self, manifest: Manifest, models: Mapping[str, Model] | None = None) -> Bundle:
        """The same parts with another manifest and, if given, other models."""
        return Bundle(self.models if models is None else models, self.parts.values(), manifest)

    @property
    def version(self) -> str:
        """12 hex digits that stand for the contents."""
        return self.manifest.version

    def save(self, directory: Path | str) -> None:
        """Write the bundle to `directory`, in place of the bundle there, if any; BundleError when that fails.

        Whatever goes wrong, `directory` is the old bundle or the new one, never a mixture; a crash in the
        instant between the two renames leaves both beside it, under hidden names. A directory that holds
        something else than a bundle is left alone (BundleError).
        """
        place = Path(directory).resolve()
        if place.exists() and not (place / MANIFEST).is_file() and not (place.is_dir() and not any(place.iterdir())):
            raise BundleError(
                f"{place} exists and is not a bundle; expected a new place, or one that holds {MANIFEST}."
            )
        files = contents(self.models, self.parts)
        fields = {"format": FORMAT, **self.manifest.written(), "files": _digests(files)}
        files[MANIFEST] = (json.dumps(fields, indent=2, allow_nan=False) + "\n").encode()
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            staged = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
            try:
                _write(staged, files)
                _put(staged, place)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
        except OSError as error:
            raise BundleError(f"The bundle could not be written to {place}: {error}.") from error

    @classmethod
    def load(cls, directory: Path | str, fold_fingerprint: str, names: Sequence[str]) -> Bundle:
        """Read the bundle in `directory` for the fold with this fingerprint and these feature names.

        StaleBundle when it was made with another fold; BundleError when it is missing, damaged, or of another
        format. A bundle that is replaced while it is read is read again.
        """
        place = Path(directory)
        while True:
            before = version(place)
            try:
                return cls._load(place, fold_fingerprint, tuple(names))
            except BundleError:
                if version(place) == before:
                    raise

    @classmethod
    def _load(cls, place: Path, fingerprint: str, names: tuple[str, ...]) -> Bundle:
        manifest, digests = _read_manifest(place)
        _check_fold(place, manifest, fingerprint, names)
        unread = set(digests)

        def read(name: str) -> bytes:
            unread.discard(name)
            return _read(place, name, digests)

        try:
            models, parts = read_models(manifest, read), read_parts(digests, read)
            _check_all_read(place, unread)
            bundle = cls.__new__(cls)
            bundle._assemble(models, parts, manifest, digests)
        except ValueError as error:
            raise _damaged(place, str(error)) from error
        return bundle


def read_manifest(directory: Path | str) -> Manifest:
    """The manifest of the bundle in `directory`, whatever fold it was made with; BundleError when unreadable."""
    return _read_manifest(Path(directory))[0]


def _digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}


def _check_fold(place: Path, manifest: Manifest, fingerprint: str, names: tuple[str, ...]) -> None:
    if manifest.fingerprint == fingerprint and manifest.features == names:
        return
    added = [name for name in names if name not in manifest.features]
    removed = [name for name in manifest.features if name not in names]
    changes = [f"{word}: {', '.join(some)}" for word, some in (("added", added), ("removed", removed)) if some]
    raise StaleBundle(
        f"The bundle {place} was made with features {manifest.fingerprint[:12]}, the running fold is "
        f"{fingerprint[:12]} ({'; '.join(changes) or 'the same names with another order, meaning or layout'}). "
        "Retrain with `waypost train`, or deploy the release that made it."
    )


def _check_all_read(place: Path, unread: Collection[str]) -> None:
    if unread:
        raise BundleError(
            f"The bundle {place} lists {', '.join(sorted(unread))}, which no part of this release reads; expected "
            f"{', '.join(kind.file for kind in PARTS)} and the files of its targets. Retrain with `waypost train`, or "
            "deploy the release that made it."
        )


def _read_manifest(place: Path) -> tuple[Manifest, dict[str, str]]:
    """The manifest and the digests of the other files; BundleError when they do not hash to the manifest's version."""
    if not (place / MANIFEST).is_file():
        raise BundleError(f"There is no bundle in {place}: expected {MANIFEST}. Make one with `waypost train`.")
    try:
        fields = json.loads((place / MANIFEST).read_bytes())
        written_format = fields["format"]
        if written_format != FORMAT:
            raise BundleError(
                f"The bundle {place} has format {written_format}; expected {FORMAT}. Retrain with `waypost train`."
            )
        manifest, digests = Manifest.from_fields(fields), dict(fields["files"])
        hashed = manifest.hashed(digests)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(place, f"{MANIFEST} is unreadable ({type(error).__name__}: {error})") from error
    if hashed != manifest.version:
        raise _damaged(place, f"{MANIFEST} says version {manifest.version}, its contents are {hashed}")
    return manifest, digests


def _read(place: Path, name: str, digests: Mapping[str, str]) -> bytes:
    try:
        content = (place / name).read_bytes()
    except OSError as error:
        raise _damaged(place, f"{name} is unreadable ({error.strerror})") from error
    if hashlib.sha256(content).hexdigest() != digests.get(name):
        raise _damaged(place, f"{name} is not the file that was written ({len(content)} bytes, another SHA-256)")
    return content


def _damaged(place: Path, what: str) -> BundleError:
    return BundleError(f"The bundle {place} is damaged: {what}. Restore it, or retrain with `waypost train`.")


def _write(directory: Path, contents: Mapping[str, bytes]) -> None:
    directory.chmod(0o755)  # mkdtemp's 0700 would lock out a server that runs as another user
    for name, content in contents.items():
        with (directory / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _put(staged: Path, place: Path) -> None:
    """Move `staged` to `place`; a bundle already there is moved aside first, and back when that fails."""
    if not place.exists():
        staged.rename(place)
        return
    aside = staged.with_name(f"{staged.name}-replaced")
    place.rename(aside)
    try:
        staged.rename(place)
    except OSError:
        aside.rename(place)
        raise
    shutil.rmtree(aside, ignore_errors=True)
