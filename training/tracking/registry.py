"""The registry: versions of the registered models, and aliases that move together.

A version of `waypost` is tagged with the version of its bundle and with the version of each target's registered model,
so that a bundle names one of every model. A target's version is tagged with a digest of its model, so that a later
bundle with the same model names the same version.
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
"""The tag of every registered model of Waypost: a store may hold others."""


def register(name: str, doc: str, uri: str, run_id: str, summary: str, tags: Mapping[str, str]) -> str:
    """Make a logged model a version of the registered model `name`, which is made if need be; the version's number.

    `doc` says what the model is for, `summary` describes this version.
    """
    client = MlflowClient()
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=doc)
    client.set_registered_model_tag(name, OURS, "true")
    made = client.create_model_version(name, uri, run_id, dict(tags), description=summary)
    return str(made.version)


def digest_of(model: Model) -> str:
    """32 hexadecimal digits that stand for everything that a model says."""
    digest = blake2b(digest_size=16)
    for name, content in sorted(model.files().items()):
        digest.update(name.encode() + content)
    return digest.hexdigest()


def newest(name: str, tag: str, value: str) -> str:
    """The newest version of the registered model `name` with this tag; empty where there is none."""
    named = MlflowClient().search_model_versions(f"name = '{name}' and tags.`{tag}` = '{value}'")
    return str(max((int(each.version) for each in named), default=""))


def versions_of(bundle: str) -> dict[str, str]:
    """The version of each registered model that a bundle was recorded as last; none where it never was here."""
    number = newest(WHOLE, BUNDLE_TAG, bundle)
    if not number:
        return {}
    tags = MlflowClient().get_model_version(WHOLE, number).tags
    parts = {key.removeprefix(TARGET_TAG): value for key, value in tags.items() if key.startswith(TARGET_TAG)}
    return {WHOLE: number, **parts}


def point(alias: str, versions: Mapping[str, str]) -> None:
    """Let `alias` name these versions of the registered models, by name, and nothing of our other ones."""
    client = MlflowClient()
    for model in client.search_registered_models(f"tags.`{OURS}` = 'true'"):
        wanted = versions.get(model.name)
        if wanted is not None:
            client.set_registered_model_alias(model.name, alias, wanted)
        elif alias in model.aliases:
            client.delete_registered_model_alias(model.name, alias)


def follow(move: Move) -> None:
    """Move our alias in MLflow along with a move of the promotion log.

    Where the bundle was never recorded in this store the alias is taken away: it names no other bundle than ours does.
    """
    open_store()
    point(move.alias, versions_of(move.version))
