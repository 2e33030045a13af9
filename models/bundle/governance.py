"""Governance: which bundle answers, which one scores in the shadow, and how that changes.

    data/champion             the champion's bundle: what the server reads
    data/challenger           the shadow's bundle: the newest challenger, or another bundle put there to be watched
    data/bundles/VERSION      all bundles (`models.bundle.archive`)
    data/promotions.jsonl     the promotion log (`models.bundle.promotion_log`)

Training, the command line and the monitor's decisions all move aliases here and nowhere else.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from features.fold.fold import Fold
from models.bundle.archive import Archive, load_as_made
from models.bundle.bundle import MANIFEST, Bundle, BundleError
from models.bundle.promotion_log import CHALLENGER, CHAMPION, SHADOW, Alias, Cause, Move, Promotions, fallbacks, named

ARCHIVE = "bundles"
PROMOTIONS = "promotions.jsonl"
NOTHING: Mapping[str, str] = MappingProxyType({})
"""The description of the targets for a move that installs no new bundle."""


class NothingToFallBackTo(BundleError):
    """No earlier champion can be put back."""


class Governance:
    """Moves aliases: bundle, archive and log together, one move at a time.

    `champion` is the folder that the server reads; the other files are beside it. `clock` gives the time of a move,
    microseconds UTC. `follow` is called with each move once it is done, so that a registry can move its alias, too.
    A process that is killed between a bundle's export and its line in the log leaves a bundle that the log does not
    list; the next move adds it to the log, as it does with a bundle that was copied by hand.
    """

    def __init__(
        self, champion: Path, fold: Fold, clock: Callable[[], int], follow: Callable[[Move], None] | None = None
    ) -> None:
        self.fold = fold
        self.places: dict[Alias, Path] = {CHAMPION: champion, SHADOW: champion.with_name("challenger")}
        """The folders that the server reads, by alias."""
        self.archive = Archive(champion.with_name(ARCHIVE))
        self.promotions = Promotions(champion.with_name(PROMOTIONS))
        self._clock = clock
        self._follow = follow

    def install(self, bundle: Bundle, *, champion: bool, cause: Cause, targets: Mapping[str, str] = NOTHING) -> Path:
        """Install a bundle just trained, as the champion, or as the challenger and shadow; returns its folder.

        `targets` says which tier answers each target, and why no better one does.
        """
        aliases: tuple[Alias, ...] = (CHAMPION,) if champion else (CHALLENGER, SHADOW)
        self._change(lambda moves: bundle, aliases, cause, targets)
        return self.places[CHAMPION if champion else SHADOW]

    def promote(self, version: str, cause: Cause, alias: Alias = CHAMPION) -> Move:
        """Make `alias` name an archived bundle.

        Raises `UnknownVersion`, or `BundleError` when it is damaged or was made with other features.
        """
        chosen = self.archive.find(version)
        return self._change(lambda moves: self.archive.load(chosen, self.fold), (alias,), cause)

    def roll_back(self, reason: str) -> Move:
        """Go back to the latest earlier champion that can be used. Raises `NothingToFallBackTo`."""
        return self._change(lambda moves: self._usable(fallbacks(moves)), (CHAMPION,), Cause("rollback", reason))

    def restore(self, reason: str) -> Move:
        """Replace a damaged champion by its archived copy, or else by the latest earlier champion that can be used."""

        def last_good(moves: Sequence[Move]) -> Bundle:
            current = named(moves).get(CHAMPION)
            return self._usable(([current] if current else []) + fallbacks(moves))

        return self._change(last_good, (CHAMPION,), Cause("rollback", reason))

    def fallbacks(self) -> list[str]:
        """Versions that `roll_back` would try, the latest first; a champion copied by hand counts as a move."""
        return fallbacks([*self.promotions.moves(), *(move for move, _ in self._unknown())])

    def damage(self) -> str:
        """Why the champion that the log lists cannot be read; empty when it can, or when the log lists none."""
        if CHAMPION not in named(self.promotions.moves()):
            return ""
        try:
            load_as_made(self.places[CHAMPION])
        except BundleError as error:
            return str(error)
        return ""

    def _change(
        self,
        choose: Callable[[Sequence[Move]], Bundle],
        aliases: Sequence[Alias],
        cause: Cause,
        targets: Mapping[str, str] = NOTHING,
    ) -> Move:
        """Archive and export the chosen bundle, and log the move of each alias; returns the last move."""
        with self.promotions.writing() as append:
            done = [append(move) for move in self._adopted()]
            before = self.promotions.moves()
            bundle, was = choose(before), named(before)
            self.archive.keep(bundle)
            for alias in aliases:
                at = self._clock()  # before the export: no server answers with a bundle before the log's time
                self._export(bundle, alias, known=alias in was)
                move = Move(at, alias, bundle.version, was.get(alias, ""), cause.by, cause.reason, dict(targets))
                done.append(append(move))
            self._prune()
        if self._follow is not None:
            for move in done:
                self._follow(move)
        return done[-1]

    def _export(self, bundle: Bundle, alias: Alias, *, known: bool) -> None:
        """Write the bundle to the folder where the server reads this alias, if there is one."""
        place = self.places.get(alias)
        if place is None:
            return
        if known and place.is_dir() and not (place / MANIFEST).exists():
            shutil.rmtree(place)  # the remains of a bundle that a command had put there
        bundle.save(place)

    def _adopted(self) -> list[Move]:
        """Moves for bundles in the server's folders that the log does not list; the bundles are archived, too."""
        unknown = self._unknown()
        for _, bundle in unknown:
            self.archive.keep(bundle)
        return [move for move, _ in unknown]

    def _unknown(self) -> list[tuple[Move, Bundle]]:
        """The bundles in the server's folders that the log does not list, each with the move to log."""
        was, unknown = named(self.promotions.moves()), []
        for alias, place in self.places.items():
            try:
                bundle = load_as_made(place)
            except BundleError:
                continue  # missing or unusable: the caller is about to choose its replacement
            if bundle.version != was.get(alias):
                reason = f"found in {place}, where no command had put it"
                move = Move(self._clock(), alias, bundle.version, was.get(alias, ""), "hand", reason)
                unknown.append((move, bundle))
        return unknown

    def _usable(self, versions: Sequence[str]) -> Bundle:
        faults = []
        for version in versions:
            try:
                return self.archive.load(version, self.fold)
            except BundleError as error:
                faults.append(str(error))
        unusable = f" Those in the archive cannot be used: {' '.join(faults)}" if faults else ""
        raise NothingToFallBackTo(
            f"There is no earlier champion to go back to in {self.archive.folder}.{unusable} "
            "Retrain with `waypost train`."
        )

    def _prune(self) -> None:
        moves = self.promotions.moves()
        self.archive.prune({*named(moves).values(), *fallbacks(moves)[:1]})


def stand_in(champion: Path, fold: Fold) -> Bundle:
    """The archived copy of the champion, for use when the bundle in the folder `champion` is unusable.

    Raises `BundleError` when there is no copy, or none that this fold can use.
    """
    version = named(Promotions(champion.with_name(PROMOTIONS)).moves()).get(CHAMPION)
    if version is None:
        raise NothingToFallBackTo(f"No champion was ever archived beside {champion}. Make one with `waypost train`.")
    return Archive(champion.with_name(ARCHIVE)).load(version, fold)
