"""A bundle: all that the server needs from training, in one directory of text and npz files.

    bundle.json                    the manifest, and the SHA-256 of every other file
    TARGET.lightgbm.txt            a scorer's trees
    TARGET.calibration.json        and its calibration
    recommender.npz                the recommender

A bundle is written beside its place and moved there whole. It is loaded only by the fold it was trained
with: a feature means what the fold says it means, so another fold's numbers would be answered confidently
and wrongly. Nothing is unpickled, and numpy and LightGBM's C library are all that reading takes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from models.calibration import Calibration
from models.manifest import FORMAT, Manifest, TargetCard
from models.recommender import Recommender
from models.scorer import Scorer

MANIFEST = "bundle.json"
RECOMMENDER = "recommender.npz"

__all__ = [
    "FORMAT",
    "MANIFEST",
    "RECOMMENDER",
    "Bundle",
    "BundleError",
    "Manifest",
    "StaleBundle",
    "TargetCard",
    "read_manifest",
]


class BundleError(Exception):
    """A bundle is missing, damaged or of an unknown format, or cannot be written."""


class StaleBundle(BundleError):
    """A bundle was made with another fold than the running one."""


class Bundle:
    """Scorers, recommender and manifest that belong together. Never changed once made."""

    def __init__(self, scorers: Mapping[str, Scorer], recommender: Recommender, manifest: Manifest) -> None:
        """ValueError when the parts disagree: a target without a scorer, a scorer of other features, a wrong card."""
        self._assemble(scorers, recommender, manifest, _digests(_contents(scorers, recommender)))

    def _assemble(
        self, scorers: Mapping[str, Scorer], recommender: Recommender, manifest: Manifest, digests: dict[str, str]
    ) -> None:
        _check_parts(scorers, manifest)
        self.scorers = dict(scorers)
        self.recommender = recommender
        self.manifest = replace(manifest, version=manifest.hashed(digests))

    @property
    def version(self) -> str:
        """12 hex digits that stand for the contents."""
        return self.manifest.version

    def save(self, directory: Path | str) -> None:
        """Write the bundle to `directory`, in place of the bundle there, if any; BundleError when that fails.

        Whatever goes wrong, `directory` is the old bundle or the new one, never a mixture; a crash in the
        instant between the two renames leaves both beside it, under hidden names. A directory that holds
        something else than a bundle is left alone.
        """
        place = Path(directory).resolve()
        if place.exists() and not (place / MANIFEST).is_file() and not (place.is_dir() and not any(place.iterdir())):
            raise BundleError(
                f"{place} exists and is not a bundle; expected a new place, or one that holds {MANIFEST}."
            )
        contents = _contents(self.scorers, self.recommender)
        fields = {"format": FORMAT, **self.manifest.to_fields(), "files": _digests(contents)}
        contents[MANIFEST] = (json.dumps(fields, indent=2, allow_nan=False) + "\n").encode()
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            staged = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
            try:
                _write(staged, contents)
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
            before = _identity(place)
            try:
                return cls._load(place, fold_fingerprint, tuple(names))
            except BundleError:
                if _identity(place) == before:
                    raise

    @classmethod
    def _load(cls, place: Path, fingerprint: str, names: tuple[str, ...]) -> Bundle:
        manifest, digests = _read_manifest(place)
        _check_fold(place, manifest, fingerprint, names)
        try:
            scorers = {
                target: Scorer(
                    target,
                    _read(place, f"{target}.lightgbm.txt", digests).decode(),
                    Calibration.from_json(_read(place, f"{target}.calibration.json", digests).decode()),
                    manifest.features,
                )
                for target in manifest.targets
            }
            recommender = Recommender.from_bytes(_read(place, RECOMMENDER, digests))
            bundle = cls.__new__(cls)
            bundle._assemble(scorers, recommender, manifest, digests)
        except ValueError as error:
            raise _damaged(place, str(error)) from error
        return bundle


def read_manifest(directory: Path | str) -> Manifest:
    """The manifest of the bundle in `directory`, whatever fold it was made with; BundleError when unreadable."""
    return _read_manifest(Path(directory))[0]


def _contents(scorers: Mapping[str, Scorer], recommender: Recommender) -> dict[str, bytes]:
    contents = {RECOMMENDER: recommender.to_bytes()}
    for target, scorer in scorers.items():
        contents[f"{target}.lightgbm.txt"] = scorer.text.encode()
        contents[f"{target}.calibration.json"] = scorer.calibration.to_json().encode()
    return contents


def _digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}


def _check_parts(scorers: Mapping[str, Scorer], manifest: Manifest) -> None:
    if set(scorers) != set(manifest.targets):
        raise ValueError(f"Scorers are for {sorted(scorers)}, the manifest's targets are {sorted(manifest.targets)}.")
    for target, scorer in scorers.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", target):
            raise ValueError(f"The target {target!r} names files; expected small letters, digits and underscores.")
        if scorer.names != manifest.features:
            raise ValueError(f"The scorer of {target} takes other features than the manifest lists.")
        if scorer.calibration.kind != manifest.targets[target].calibration:
            raise ValueError(
                f"The card of {target} says calibration {manifest.targets[target].calibration!r}, "
                f"its scorer has {scorer.calibration.kind!r}."
            )


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


def _read_manifest(place: Path) -> tuple[Manifest, dict[str, str]]:
    """The manifest and the digests of the other files, checked against the version they should hash to."""
    if not (place / MANIFEST).is_file():
        raise BundleError(f"There is no bundle in {place}: expected {MANIFEST}. Make one with `waypost train`.")
    try:
        fields = json.loads((place / MANIFEST).read_bytes())
        found = fields["format"]
        if found != FORMAT:
            raise BundleError(
                f"The bundle {place} has format {found}; expected {FORMAT}. Retrain with `waypost train`."
            )
        manifest, digests = Manifest.from_fields(fields), dict(fields["files"])
        version = manifest.hashed(digests)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(place, f"{MANIFEST} is unreadable ({type(error).__name__}: {error})") from error
    if version != manifest.version:
        raise _damaged(place, f"{MANIFEST} says version {manifest.version}, its contents are {version}")
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


def _identity(place: Path) -> tuple[int, int] | None:
    """What tells one directory at `place` from the next; None when there is none."""
    try:
        status = place.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


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
