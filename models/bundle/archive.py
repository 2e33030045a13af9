"""The archive: bundles that were a champion, a challenger or a shadow, so that any of them can be put back.

    data/bundles/VERSION      one bundle, written once and never changed

Kept are the newest bundles, those that an alias names, and the one that the champion would fall back to.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from features.fold.fold import Fold
from models.bundle.bundle import Bundle, BundleError, Manifest, read_manifest

KEPT = 10
"""The number of newest bundles that are kept whether or not an alias names them."""

SHORTEST_PREFIX = 4
"""The least number of digits by which a version may be abbreviated."""


class UnknownVersion(BundleError):
    """The archive holds no bundle of this version."""


class Archive:
    """The bundles in one folder, by version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, version: str) -> Path:
        """Where the bundle of this version is, or would be."""
        return self.folder / version

    def versions(self) -> list[str]:
        """The versions in the archive, the newest first; damaged ones, whose age is not known, last."""
        names = [path.name for path in self.folder.glob("[!.]*") if path.is_dir()]
        return sorted(names, key=lambda version: (self._made(version), version), reverse=True)

    def find(self, text: str) -> str:
        """The version that is `text` or begins with it. Raises `UnknownVersion` for none or several."""
        versions = self.versions()
        if text in versions:
            return text
        matches = [version for version in versions if len(text) >= SHORTEST_PREFIX and version.startswith(text)]
        if len(matches) == 1:
            return matches[0]
        what = f"{len(matches)} versions begin with {text!r}" if matches else f"There is no bundle {text!r}"
        expected = (
            f"expected one of {', '.join(versions)}" if versions else "it is empty: make one with `waypost train`"
        )
        raise UnknownVersion(f"{what} in the archive {self.folder}; {expected}. See `waypost models list`.")

    def manifest(self, version: str) -> Manifest:
        """The manifest of the bundle of this version. Raises `BundleError` where it is missing or damaged."""
        return read_manifest(self.place(version))

    def load(self, version: str, fold: Fold) -> Bundle:
        """The bundle of this version. Raises `BundleError` where it is missing, damaged or made with another fold."""
        bundle = Bundle.load(self.place(version), fold.fingerprint, fold.names)
        if bundle.version != version:
            raise BundleError(f"The bundle {self.place(version)} is another: it says version {bundle.version}.")
        return bundle

    def keep(self, bundle: Bundle) -> None:
        """Write `bundle` to the archive. A whole copy that is already there stays; a damaged one is replaced."""
        place = self.place(bundle.version)
        try:
            load_as_made(place)
        except BundleError:
            shutil.rmtree(place, ignore_errors=True)
            bundle.save(place)

    def prune(self, wanted: Collection[str]) -> list[str]:
        """Remove all but the newest `KEPT` bundles and those `wanted`; returns the versions removed."""
        removed = [version for version in self.versions()[KEPT:] if version not in wanted]
        for version in removed:
            shutil.rmtree(self.place(version))
        return removed

    def _made(self, version: str) -> str:
        """When the bundle was made, ISO 8601 in UTC; empty where that cannot be read."""
        try:
            return self.manifest(version).created
        except BundleError:
            return ""


def load_as_made(place: Path) -> Bundle:
    """The bundle in a folder, whatever fold it was made with; BundleError when it is missing or damaged."""
    manifest = read_manifest(place)
    return Bundle.load(place, manifest.fingerprint, manifest.features)
