"""The archive: every bundle that was ever a champion, a challenger or a shadow, so that any can be put back.

    data/bundles/VERSION      one bundle, written once and never changed

The newest bundles are kept, and those that are wanted: what an alias names, and what the champion would fall back to.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from features.fold.fold import Fold
from models.bundle.bundle import Bundle, BundleError, Manifest, read_manifest

KEPT = 10
"""Newest bundles that are kept whether or not anything names them."""

SHORTEST_PREFIX = 4
"""Digits of a version that may stand for it."""


class UnknownVersion(BundleError):
    """The archive holds no such bundle."""


class Archive:
    """The bundles in one folder, by version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, version: str) -> Path:
        """Where the bundle of this version is, or would be."""
        return self.folder / version

    def versions(self) -> list[str]:
        """The versions in the archive, those made latest first; damaged ones, of which that is not known, last."""
        found = [path.name for path in self.folder.glob("[!.]*") if path.is_dir()]
        return sorted(found, key=lambda version: (self._made(version), version), reverse=True)

    def find(self, text: str) -> str:
        """The version that `text` or its beginning names. Raises `UnknownVersion`."""
        versions = self.versions()
        if text in versions:
            return text
        found = [version for version in versions if len(text) >= SHORTEST_PREFIX and version.startswith(text)]
        if len(found) == 1:
            return found[0]
        what = f"{len(found)} versions begin with {text!r}" if found else f"There is no bundle {text!r}"
        expected = (
            f"expected one of {', '.join(versions)}" if versions else "it is empty: make one with `waypost train`"
        )
        raise UnknownVersion(f"{what} in the archive {self.folder}; {expected}. See `waypost models list`.")

    def manifest(self, version: str) -> Manifest:
        """What the bundle of this version says of itself. Raises `BundleError` where it is missing or damaged."""
        return read_manifest(self.place(version))

    def load(self, version: str, fold: Fold) -> Bundle:
        """The bundle of this version. Raises `BundleError` where it is missing, damaged or made with another fold."""
        bundle = Bundle.load(self.place(version), fold.fingerprint, fold.names)
        if bundle.version != version:
            raise BundleError(f"The bundle {self.place(version)} is another: it says version {bundle.version}.")
        return bundle

    def keep(self, bundle: Bundle) -> None:
        """Write `bundle` once; a copy that is there and whole stays as it is, a damaged one is replaced."""
        place = self.place(bundle.version)
        try:
            load_as_made(place)
        except BundleError:
            shutil.rmtree(place, ignore_errors=True)
            bundle.save(place)

    def prune(self, wanted: Collection[str]) -> list[str]:
        """Remove all but the newest `KEPT` bundles and those `wanted`. The versions removed."""
        gone = [version for version in self.versions()[KEPT:] if version not in wanted]
        for version in gone:
            shutil.rmtree(self.place(version))
        return gone

    def _made(self, version: str) -> str:
        """When the bundle was made, ISO 8601 in UTC; empty where that cannot be read."""
        try:
            return self.manifest(version).created
        except BundleError:
            return ""


def load_as_made(place: Path) -> Bundle:
    """The bundle in a folder, whatever features it was made with; BundleError when it is missing or damaged."""
    manifest = read_manifest(place)
    return Bundle.load(place, manifest.fingerprint, manifest.features)
