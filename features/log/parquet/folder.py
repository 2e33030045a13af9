"""A log in a folder of immutable files: which files are part of it, how a change takes effect at once, who may write.

`log.json` holds the number of the newest commit; replacing it as a whole is the commit. Every data file has the number
of its commit in its name. A file with a higher number was left by an interrupted writer, and is ignored. A file
`whole-N` holds all of its folder up to commit N, a file `part-N` what commit N added.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from features.files import alone, draft_prefix, replace, synchronise
from features.log.contract import LogBusy, LogCorrupt, LogDenied, LogError, LogFull, LogMissing, LogVersion

VERSION = 2
"""Version of the layout, in `log.json`."""

_POLL_SECONDS = 0.02
_NAME = re.compile(r"(part|whole)-(\d{8,})\.parquet")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


@dataclass(frozen=True)
class Manifest:
    """What `log.json` holds."""

    version: int = VERSION
    partitions: int = 16
    """How many folders the customers are partitioned into; fixed when the log is made."""
    commit: int = 0
    offset: int = 0
    received: int = 0
    """The newest `received` ever appended."""
    erasures: int = 0
    """How many customers were erased."""
    erased: int = 0
    """When the newest erasure was."""
    letters: int = 0
    """The newest number ever given to a dead letter."""
    salt: str = ""
    """The salt of the digests that erased names leave, hexadecimal; made with the first write."""


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Raise what the file system reports as a `LogError` that says what to do."""
    try:
        yield
    except FileNotFoundError as error:
        raise LogBusy(f"the log {folder} was rewritten while it was read ({error}); read it again") from error
    except OSError as error:
        if error.errno in _FULL:
            advice = f"nothing was added and nothing is lost; free some space (df -h {folder}), then try again"
            raise LogFull(f"the log {folder}: {error}; {advice}") from error
        if error.errno in _DENIED:
            advice = f"the folder and all in it must be writable for this user; see: ls -la {folder}"
            raise LogDenied(f"the log {folder}: {error}; {advice}") from error
        if error.errno is None:
            raise LogCorrupt(f"the log {folder}: {error}; a file of it is damaged, restore it from a backup") from error
        raise LogError(f"the log {folder}: {error}; check the disk (dmesg), then try again") from error


def open_folder(folder: Path, *, create: bool, partitions: int, busy_seconds: float) -> Manifest:
    """The manifest of the log in `folder`, which is made when it is missing and `create` says so."""
    with explained(folder):
        if not (folder / "log.json").exists():
            if not create:
                raise LogMissing(f"there is no event log in {folder}; make one with: waypost import FILE --source NAME")
            # Another process may be making it at this moment.
            held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
            others = {name for name in held if name != "log.lock" and not name.startswith(draft_prefix("log.json"))}
            if folder.is_file() or ("log.json" not in held and others):
                raise LogVersion(f"{folder} is not an event log and not empty; name a folder that does not exist yet")
            folder.mkdir(parents=True, exist_ok=True)
            with sole_writer(folder, busy_seconds):
                if not (folder / "log.json").exists():
                    save(folder, Manifest(partitions=partitions))
    return load(folder)


def load(folder: Path) -> Manifest:
    """The manifest as it is now. Raises LogCorrupt when it cannot be read, LogVersion when it is of a newer release."""
    path = folder / "log.json"
    if not path.exists():
        raise LogMissing(f"there is no event log in {folder} any more; restore it, or import it again")
    with explained(folder):
        text = path.read_bytes()
    try:
        fields = json.loads(text)
        version = int(fields["version"])
        if version <= VERSION:
            return Manifest(**fields)
    except (ValueError, TypeError, KeyError) as error:
        raise LogCorrupt(f"{path} is damaged ({error}); restore it from a backup, or import the log again") from error
    raise LogVersion(
        f"the log {folder} has version {version}, and this release of Waypost knows versions up to {VERSION}; "
        "install the newer release that wrote it: pip install --upgrade waypost"
    )


def save(folder: Path, manifest: Manifest) -> None:
    """Make `manifest` the state of the log: the commit."""
    replace(folder / "log.json", json.dumps(asdict(manifest), indent=2) + "\n")


def part(folder: Path, commit: int) -> Path:
    """The file in which `commit` adds to a data folder."""
    return folder / f"part-{commit:08}.parquet"


def whole(folder: Path, commit: int) -> Path:
    """The file with which `commit` replaces all of a data folder."""
    return folder / f"whole-{commit:08}.parquet"


def files(folder: Path, commit: int) -> list[Path]:
    """The files of one data folder that are part of the log at `commit`, oldest first; none without such a folder."""
    if not folder.exists():
        return []
    counted: list[Path] = []
    for number, kind, path in sorted((int(match[2]), match[1], path) for path, match in _numbered(folder)):
        if number > commit:
            break
        counted = [*([] if kind == "whole" else counted), path]
    return counted


def listed(log: Path, folders: Iterable[Path]) -> list[Path]:
    """The files of these data folders that are part of the log now, folder by folder, oldest first."""
    folders = list(folders)
    commit = load(log).commit
    while True:
        paths = [path for data_folder in folders for path in files(data_folder, commit)]
        # A writer removes replaced files only after its commit: when it has committed meanwhile, some may be missing.
        now = load(log).commit
        if now == commit:
            return paths
        commit = now


def sweep(folder: Path, commit: int) -> None:
    """Remove the files that are not part of the log at `commit`, in every data folder below `folder`."""
    for data_folder in [path for path in folder.rglob("*") if path.is_dir()]:
        counted = set(files(data_folder, commit))
        idle = [path for path, _ in _numbered(data_folder) if path not in counted]
        for path in (*idle, *data_folder.glob("*.tmp")):
            path.unlink()
        synchronise(data_folder)


@contextmanager
def sole_writer(folder: Path, busy_seconds: float) -> Iterator[None]:
    """Keep other writers out, in this process and others. Raises LogBusy when one stays longer than `busy_seconds`."""
    with ExitStack() as held:
        try:
            held.enter_context(alone(folder / "log.lock", busy_seconds))
        except TimeoutError:
            raise LogBusy(
                f"the log {folder}: another process has been writing for {busy_seconds:g} s, and nothing was written "
                f"here; try again, and if it persists see who holds the log with: fuser {folder / 'log.lock'}"
            ) from None
        yield


def _numbered(folder: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    for path in folder.iterdir():
        if match := _NAME.fullmatch(path.name):
            yield path, match
