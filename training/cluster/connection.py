"""The connection to a Dask cluster, and the check that its workers see the export and compute the same features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client

from features.journey import JOURNEY
from features.log.parquet.exported import ExportedLog
from training.cluster.partitions import Greeting, greeting

PATIENCE_SECONDS = 30.0
"""How long to wait for a scheduler to answer, and for its first worker."""


class ClusterError(RuntimeError):
    """A cluster cannot be used for training; the message says why, and what to do."""


@contextmanager
def connected(address: str, exported: ExportedLog, *, seconds: float = PATIENCE_SECONDS) -> Iterator[Client]:
    """A client of the scheduler at `address`, such as `tcp://10.0.0.1:8786`, for training on `exported`.

    Raises ClusterError when the scheduler does not answer, when there is no worker, and when a worker does not see the
    same export or computes other features.
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
    for worker, answer in client.run(greeting, str(exported.path), on_error="return").items():
        if isinstance(answer, Exception):
            raise ClusterError(
                f"the worker {worker} cannot read the export: {type(answer).__name__}: {answer}; Waypost must be "
                f"installed there as it is here, and see the files under the same path, {exported.path}"
            ) from answer
        if answer.fingerprint != expected.fingerprint:
            raise ClusterError(
                f"the worker {worker} computes features with the fingerprint {answer.fingerprint}, expected "
                f"{expected.fingerprint}; install there the release that runs here, and restart the worker"
            )
        if answer != expected:
            raise ClusterError(
                f"the worker {worker} sees another export in {exported.path} (number {answer.generation}, expected "
                f"{expected.generation}); give all machines the same folder, and try again"
            )
