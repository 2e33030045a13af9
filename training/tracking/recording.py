"""Writing one training run to MLflow: runs, metrics, data sets, plots, models, versions and aliases."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from models.bundle.promotion_log import CHALLENGER, CHAMPION, SHADOW
from training.rows.slices import Rows
from training.tracking import registry
from training.tracking.pyfunc import log_bundle, of_one
from training.tracking.runs import Recorded, Run, TargetRun
from training.tracking.store import WHOLE, open_store, running, write_files, write_numbers

DOC = "Waypost: the models of a shop's customers, and the recommender."


def record(run: Run) -> Recorded:
    """Write the run, those of its targets, their models and the bundle; register them and move their aliases."""
    store = open_store()
    aliases = (CHAMPION,) if run.champion else (CHALLENGER, SHADOW)
    with running(run.name) as run_id:
        recorded = {name: _record_target(name, target, run) for name, target in run.targets.items()}
        versions = {name: number for name, (_, number) in recorded.items()} | _kept(run, run_id)
        MlflowClient().log_inputs(run_id, [_input("event log", run.log_digest, "training", {})])
        write_files(run_id, run.files)
        # Metrics are written last: MLflow copies the history of all metrics so far to every model that it logs.
        uri = log_bundle(run.bundle, WHOLE, run.example)
        write_numbers(run_id, run.parameters, run.metrics, run.tags, run.at)
        tags = {f"{registry.TARGET_TAG}{name}": number for name, number in versions.items()}
        tags[registry.BUNDLE_TAG] = run.bundle.version
        number = registry.register(WHOLE, DOC, uri, run_id, _described(run), tags)
    for alias in aliases:
        registry.point(alias, {WHOLE: number, **versions})
    return Recorded(store, run_id, number, aliases[0], {name: child for name, (child, _) in recorded.items()})


def _record_target(name: str, target: TargetRun, run: Run) -> tuple[str, str]:
    """The nested run of one target, and the version of its registered model."""
    with running(run.name, name, nested=True) as run_id:
        write_files(run_id, target.files)
        if target.slices:
            MlflowClient().log_inputs(run_id, [_slice(name, which, rows) for which, rows in target.slices.items()])
        uri = log_bundle(of_one(run.bundle, name), name, target.example)
        write_numbers(run_id, target.parameters, target.metrics, target.tags, run.at)
        tags = {registry.MODEL_TAG: registry.digest_of(run.bundle.models[name])}
        return run_id, registry.register(name, target.doc, uri, run_id, target.summary, tags)


def _kept(run: Run, run_id: str) -> dict[str, str]:
    """The versions of the targets that the bundle keeps from the champion; they are registered if they are not yet."""
    versions = {}
    for name, model in run.bundle.models.items():
        if name in run.targets:
            continue
        digest = registry.digest_of(model)
        versions[name] = registry.newest(name, registry.MODEL_TAG, digest)
        if not versions[name]:
            uri, doc = log_bundle(of_one(run.bundle, name), name, run.example), run.bundle.manifest.targets[name].doc
            versions[name] = registry.register(name, doc, uri, run_id, doc, {registry.MODEL_TAG: digest})
    return versions


def _slice(name: str, which: str, rows: Rows) -> DatasetInput:
    profile = {"num_rows": rows.rows, "customers": rows.customers, "yes": rows.yes}
    return _input(f"{name} {which}", rows.digest, which, profile)


def _input(name: str, digest: str, context: str, profile: Mapping[str, int]) -> DatasetInput:
    """Data as an input of a run: it is computed from the log, so its source is only a digest."""
    source = json.dumps({"tags": {"digest": digest}})
    described = Dataset(name, digest, "code", source, profile=json.dumps(profile))
    return DatasetInput(described, [InputTag(MLFLOW_DATASET_CONTEXT, context)])


def _described(run: Run) -> str:
    """The bundle as a list of its targets with tier and evidence."""
    cards = run.bundle.manifest.targets
    lines = [f"- `{name}`: {card.tier}, evidence {card.evidence}" for name, card in cards.items()]
    return "\n".join([f"Bundle {run.bundle.version}.", "", *lines])
