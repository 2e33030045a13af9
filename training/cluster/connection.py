"""A Dask cluster that can train on an export: it answers, its workers see the files and know the features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client

from features.journey import JOURNEY
from features.log.parquet.exported import ExportedLog
from training.cluster.partitions import Greeting, greeting

PATIENCE_SECONDS = 30.0
"""How long a scheduler may take to answer, and to have a worker."""


class ClusterError(RuntimeError):
    """A cluster cannot train; the message says why, and what to do."""


@contextmanager
def connected(address: str, exported: ExportedLog, *, seconds: float = PATIENCE_SECONDS) -> Iterator[Client]:
    """A client of the scheduler at `address`, such as `tcp://10.0.0.1:8786`, for training on `exported`.

    Raises ClusterError when nobody answers, when there is no worker, and when a worker does not see the same export or
    computes other features.
    """
    try:
        client = Client(address, timeout=seconds)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address} ({error}); start one with `dask scheduler --host HOST`, and on "
            f"each machine `dask worker {address}`"
        ) from error
    with client:
        check(client, exported, address, seconds)
        yield client


def check(client: Client, exported: ExportedLog, address: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Raise ClusterError unless there is a worker, and all of them can train on `exported`."""
    try:
        client.wait_for_workers(1, timeout=seconds)
    except TimeoutError as error:
        raise ClusterError(f"the cluster at {address} has no worker; start some with: dask worker {address}") from error
    manifest = exported.manifest
    expected = Greeting(JOURNEY.fingerprint, manifest.log, manifest.generation)
    for worker, found in client.run(greeting, str(exported.path), on_error="return").items():
        if isinstance(found, Exception):
            raise ClusterError(
                f"the worker {worker} cannot read the export: {type(found).__name__}: {found}; Waypost must be "
                f"installed there as it is here, and see the files under the same path, {exported.path}"
            ) from found
        if found.fingerprint != expected.fingerprint:
            raise ClusterError(
                f"the worker {worker} computes features with the fingerprint {found.fingerprint}, expected "
                f"{expected.fingerprint}; install there the release that runs here, and start the worker anew"
            )
        if found != expected:
            raise ClusterError(
                f"the worker {worker} sees another export in {exported.path} (number {found.generation}, expected "
                f"{expected.generation}); give all machines the same folder, and try again"
            )
