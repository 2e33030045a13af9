"""The registry: versions of the registered models, and aliases that move together.

A version of `waypost` is tagged with the version of its bundle and with the version of each target's registered model,
so that a bundle names one version of every model. A target's version is tagged with a digest of its model, so that a
later bundle with the same model names the same version.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from mlflow.tracking import MlflowClient

from models.bundle.bundle import Model
from models.bundle.promotion_log import Move
from training.tracking.store import WHOLE, open_store

BUNDLE_TAG, MODEL_TAG, TARGET_TAG = "bundle", "model", "target."
OURS = "waypost"
"""The tag of every registered model of Waypost, since a store may hold others."""


def register(name: str, doc: str, uri: str, run_id: str, summary: str, tags: Mapping[str, str]) -> str:
    """Register a logged model as a version of the registered model `name`; returns the version's number.

    The registered model is created if need be. `doc` is its purpose, `summary` describes this version.
    """
    client = MlflowClient()
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=doc)
    client.set_registered_model_tag(name, OURS, "true")
    made = client.create_model_version(name, uri, run_id, dict(tags), description=summary)
    return str(made.version)


def digest_of(model: Model) -> str:
    """A digest, 32 hexadecimal digits, of all files of a model."""
    digest = blake2b(digest_size=16)
    for name, content in sorted(model.files().items()):
        digest.update(name.encode() + content)
    return digest.hexdigest()


def newest(name: str, tag: str, value: str) -> str:
    """The newest version of the registered model `name` with this tag; empty where there is none."""
    named = MlflowClient().search_model_versions(f"name = '{name}' and tags.`{tag}` = '{value}'")
    return str(max((int(version.version) for version in named), default=""))


def versions_of(bundle: str) -> dict[str, str]:
    """The version of each registered model as which a bundle was last recorded; empty where it never was."""
    number = newest(WHOLE, BUNDLE_TAG, bundle)
    if not number:
        return {}
    tags = MlflowClient().get_model_version(WHOLE, number).tags
    parts = {key.removeprefix(TARGET_TAG): value for key, value in tags.items() if key.startswith(TARGET_TAG)}
    return {WHOLE: number, **parts}


def point(alias: str, versions: Mapping[str, str]) -> None:
    """Make `alias` name these versions by registered model, and remove it from the other models of Waypost."""
    client = MlflowClient()
    for model in client.search_registered_models(f"tags.`{OURS}` = 'true'"):
        wanted = versions.get(model.name)
        if wanted is not None:
            client.set_registered_model_alias(model.name, alias, wanted)
        elif alias in model.aliases:
            client.delete_registered_model_alias(model.name, alias)


def follow(move: Move) -> None:
    """Repeat a move of the promotion log in MLflow.

    Where the bundle was never recorded in this store, the alias is removed, so that it never names another bundle than
    the promotion log.
    """
    open_store()
    point(move.alias, versions_of(move.version))
