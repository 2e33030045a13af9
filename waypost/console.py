"""Code that all commands share: the clock, tables for people, JSON for machines, errors without a traceback."""

from __future__ import annotations

import inspect
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
import typer.core
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from features.times import micros
from waypost import tables

out = Console()
err = Console(stderr=True)

StoreOption = Annotated[
    str | None, typer.Option("--store", help="Where the log is kept; WAYPOST_STORE, or sqlite:///data/waypost.db.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]


class UsageProblem(ValueError):
    """The command line cannot be used; the message says what to type."""


def clock() -> int:
    """The time, microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


def parse_moment(text: str) -> int:
    """Microseconds UTC from ISO 8601; without an offset it is read as UTC. Raises UsageProblem."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise UsageProblem(
            f"{text!r} is not a moment; expected ISO 8601 such as 2017-11-15 or 2017-11-15T08:00:00Z"
        ) from None
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    if not 1970 < when.year < 2200:
        raise UsageProblem(f"{text!r} is out of range; expected a year from 1971 to 2199")
    return micros(when)


def print_json(value: Any) -> None:
    """Print one JSON object on standard output, with NaN and infinities as null."""
    sys.stdout.write(json.dumps(finite(value), indent=2, default=str) + "\n")


def finite(value: Any) -> Any:
    """`value` with every NaN and infinity as None, which JSON can carry."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: finite(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(member) for member in value]
    return value


def print_line(text: str) -> None:
    """Print one line on standard output as it is, never read as markup."""
    out.print(Text(writable(text)), soft_wrap=True)


def print_note(text: str) -> None:
    """Print one line on standard error, apart from the answer on standard output."""
    err.print(Text.assemble(("note: ", "yellow"), text), soft_wrap=True)


def writable(text: str) -> str:
    """The text with characters escaped that the encoding of standard output lacks, before its width is measured."""
    return text.encode(out.encoding, "backslashreplace").decode(out.encoding)


def find_home() -> None:
    """Set the cache folder for libraries that need a folder in the home of a user who has no home, or cannot write it.

    MLflow asks for the home itself, which a numeric user in a container does not have; Matplotlib warns where it cannot
    write. A readable home stays, because certificates and passwords may be in it.
    """
    try:
        if os.access(Path.home(), os.W_OK) or os.environ.get("MPLCONFIGDIR"):
            return
        variable = "MPLCONFIGDIR"
    except RuntimeError:
        variable = "HOME"
    from features.fold.fold import cache_folder

    os.environ[variable] = str(cache_folder())


@contextmanager
def plain_output() -> Iterator[None]:
    """Standard output for any text: characters that its encoding lacks are escaped, and a closed pipe is no error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes once more when it exits, which must not fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def data_output() -> Iterator[TextIO]:
    """Standard output for data, such as CSV and lines of JSON: UTF-8 on every terminal, nothing escaped."""
    sys.stdout.flush()
    stream = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="")
    try:
        yield stream
    finally:
        stream.detach()


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table on standard output, for people or as Markdown; without rows only its title and "none"."""
    if _shape.markdown:
        sys.stdout.write(tables.markdown(title, columns, rows))
        return
    if rows:
        cells = [[writable(tables.shown(cell)) for cell in row] for row in rows]
        out.print(Text(writable(title), "bold"))
        out.print(tables.table(columns, cells, out.width))
        out.print()
    else:
        out.print(Text.assemble((writable(title), "bold"), ": none"))


@dataclass
class _Shape:
    """How the running command prints tables."""

    markdown: bool = False


_shape = _Shape()

MarkdownOption = Annotated[bool, typer.Option("--markdown", help="Print tables as Markdown.")]


def offer_markdown(app: typer.Typer, *others: Callable[..., None]) -> None:
    """Add `--markdown` to every command that prints tables: those with `--json`, and `others`."""
    for command in app.registered_commands:
        callback = command.callback
        if callback and (callback in others or "as_json" in inspect.signature(callback).parameters):
            command.callback = _with_markdown(callback)
    for group in app.registered_groups:
        if group.typer_instance:
            offer_markdown(group.typer_instance, *others)


def _with_markdown(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same command with the option `--markdown`."""

    @wraps(command)
    def run(*arguments: Any, markdown: bool, **options: Any) -> Any:
        _shape.markdown = markdown
        try:
            return command(*arguments, **options)
        finally:
            _shape.markdown = False

    signature = inspect.signature(command, eval_str=True)  # evaluated in the module of the command, which has its names
    option = inspect.Parameter("markdown", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=MarkdownOption)
    parameters = [*signature.parameters.values(), option]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


class _RateColumn(ProgressColumn):
    """How much is done in a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", "progress.data.speed")


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with rate and time left on standard error; call the function that it yields with (done, total)."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar of named steps on standard error; call the function that it yields with (step, done, total)."""
    columns = (
        TextColumn("{task.description:<28}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("", total=None)
        yield lambda step, done, total: progress.update(task, description=step, completed=done, total=total)


class Failing(typer.core.TyperGroup):
    """Commands whose foreseen errors print one line on standard error and exit with code 1 (2 for wrong usage)."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # typer ends quietly
            raise
        except UsageProblem as problem:
            err.print(Text.assemble(("error: ", "red"), str(problem)), soft_wrap=True)
            raise typer.Exit(2) from None
        except foreseen() as problem:
            err.print(Text.assemble(("error: ", "red"), str(problem)), soft_wrap=True)
            raise typer.Exit(1) from None


def foreseen() -> tuple[type[Exception], ...]:
    """The errors whose message is enough for a user: of files, and of the modules that are loaded."""
    names = (
        ("features.log.contract", "LogError"),
        ("features.sources.contract", "SourceError"),
        ("features.fold.fold", "FingerprintMismatch"),
        ("features.catalogues.dictionary", "UnknownFeature"),
        ("models.bundle.bundle", "BundleError"),
        ("models.bundle.loaded", "ModelMissing"),
        ("serving.access.keys", "KeysError"),
        ("serving.settings", "BadSetting"),
        ("training.cluster.connection", "ClusterError"),
        ("training.fitting.tuned", "BadStudy"),
        ("training.targets", "BadTarget"),
        ("training.targets", "UnknownTarget"),
        ("training.rows.schedule", "NotEnoughHistory"),
        ("waypost.console", "MissingExtra"),
    )
    loaded = ((sys.modules.get(module), name) for module, name in names)
    own = (getattr(module, name) for module, name in loaded if module is not None and hasattr(module, name))
    return (OSError, *own)


class MissingExtra(ImportError):
    """A command needs packages that are not installed."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Say which extra to install when an import within fails."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise MissingExtra(
            f"this command needs the package {missing.name}: install the extra with `pip install 'waypost[{extra}]'`"
        ) from missing
