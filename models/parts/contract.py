"""The contract of a part of a bundle: it is written as files, and read back from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import ClassVar, Protocol, Self

Read = Callable[[str], bytes]
"""A function that gives the content of a bundle's file by its name."""

Says = Mapping[str, Collection[str]]
"""The values that fields of the manifest, or of a target's card, may have for the bundle to be consistent."""


class Part(Protocol):
    """A member of a bundle that serves all targets: the recommender, the reference.

    `role` is its purpose, and a bundle has at most one part of each role; `name` tells the parts of one role apart.
    A bundle that lists `file` holds this part. `says` are fields of the manifest.
    """

    role: ClassVar[str]
    name: ClassVar[str]
    file: ClassVar[str]
    says: ClassVar[Says]

    def files(self) -> dict[str, bytes]:
        """The files of the part in a bundle, by name; equal parts give equal bytes."""
        ...

    @classmethod
    def from_files(cls, read: Read) -> Self:
        """The part whose `files` are read by name; ValueError when they are anything else. Nothing is unpickled."""
        ...
