"""The contract of what a bundle holds: its files, and the same thing from them again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import ClassVar, Protocol, Self

Read = Callable[[str], bytes]
"""Gives the content of a file of a bundle by its name."""

Says = Mapping[str, Collection[str]]
"""What may stand in these fields of the manifest, or of a target's card, for the bundle to be consistent."""


class Part(Protocol):
    """What a bundle holds once, for all targets: the recommender, the reference.

    `role` is what it does in the bundle, which has one part of each role, and `name` which part of that role it is.
    A bundle that lists `file` holds this part. `says` are fields of the manifest.
    """

    role: ClassVar[str]
    name: ClassVar[str]
    file: ClassVar[str]
    says: ClassVar[Says]

    def files(self) -> dict[str, bytes]:
        """What a bundle keeps of the part, by file name; equal parts give equal bytes."""
        ...

    @classmethod
    def from_files(cls, read: Read) -> Self:
        """The part whose `files` are read by name; ValueError when they are anything else. Nothing is unpickled."""
        ...
