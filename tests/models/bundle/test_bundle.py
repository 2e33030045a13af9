"""Bundles: whole or not at all, only for the fold they were made with, and light to load."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from models.bundle.bundle import Bundle, BundleError, Manifest, StaleBundle, TargetCard, read_manifest
from models.prediction.calibration import Calibration
from models.prediction.scorer import Scorer
from models.recommenders.item_item import ItemItem, Neighbours

NAMES = ("recency", "frequency", "spend")
FINGERPRINT = "3f9a" * 16
ROWS = np.random.default_rng(1).normal(size=(500, len(NAMES))).astype(np.float32)


@pytest.fixture(scope="module")
def text() -> str:
    dataset = lightgbm.Dataset(ROWS, (ROWS[:, 0] > 0.0).astype(np.int64), feature_name=list(NAMES))
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    return lightgbm.train(settings, dataset, num_boost_round=5).model_to_string()


@pytest.fixture(scope="module")
def bundle(text: str) -> Bundle:
    return _bundle(text)


def _bundle(text: str, **changes: object) -> Bundle:
    cards = {
        "conversion_7d": TargetCard(
            "happens(PURCHASE)",
            "everyone",
            7,
            0.25,
            "isotonic",
            {"roc_auc": 0.9},
            reliability={"stage": {"purchase": {"rows": 120, "given": 0.2, "share": 0.3}}, "latest_channel": {}},
        ),
        "churn_28d": TargetCard("~happens(PURCHASE)", "purchases_90d > 0", 28.0, 0.125, "platt", {}),
    }
    manifest = Manifest(
        fingerprint=FINGERPRINT,
        features=NAMES,
        targets=cards,
        created="2017-12-31T12:00:00Z",
        now=1_514_721_600_000_000,
        log_offset=42,
        git_commit="0123abc",
        seed=7,
        recommender={"ndcg_20": 0.1},
        policy={"temperature": 1, "floor": 0.02},
    )
    scorers = {
        "conversion_7d": Scorer.from_text("conversion_7d", text, Calibration.isotonic([0.1, 0.9], [0.05, 0.8]), NAMES),
        "churn_28d": Scorer.from_text("churn_28d", text, Calibration.platt(1.1, 0.2), NAMES),
    }
    starts, items, weights = np.array([0, 1, 1]), np.array([1], np.int32), np.array([0.5], np.float32)
    recommender = ItemItem(["bread", "dates"], Neighbours(starts, items, weights), np.ones(2, np.float32))
    return Bundle(scorers, [recommender], replace(manifest, **changes))  # type: ignore[arg-type]


def test_what_is_loaded_is_what_was_saved(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "champion")
    loaded = Bundle.load(tmp_path / "champion", FINGERPRINT, NAMES)
    assert loaded.manifest == bundle.manifest == read_manifest(tmp_path / "champion")
    assert loaded.manifest.targets["conversion_7d"].metrics == {"roc_auc": 0.9}
    for target, scorer in bundle.scorers.items():
        assert loaded.scorers[target].score_many(ROWS).tobytes() == scorer.score_many(ROWS).tobytes()
    assert loaded.recommender.recommend([("bread", 1.0)], 2) == bundle.recommender.recommend([("bread", 1.0)], 2)
    assert sorted(each.name for each in (tmp_path / "champion").iterdir()) == [
        "bundle.json",
        "churn_28d.lightgbm.txt",
        "churn_28d.scorer.json",
        "conversion_7d.lightgbm.txt",
        "conversion_7d.scorer.json",
        "recommender.npz",
    ]


def test_version_stands_for_the_contents_not_the_occasion(bundle: Bundle, text: str) -> None:
    assert len(bundle.version) == 12
    assert _bundle(text, created="2018-01-01T00:00:00Z", git_commit="fffffff").version == bundle.version
    for change in ({"seed": 8}, {"log_offset": 43}, {"policy": {"floor": 0.05}}, {"fingerprint": "b71c" * 16}):
        assert _bundle(text, **change).version != bundle.version
    other = ItemItem.without_neighbours(["bread", "salt"], [1.0, 1.0])
    assert Bundle(bundle.scorers, [other], bundle.manifest).version != bundle.version


def test_another_fold_is_refused_with_what_changed_and_what_to_run(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path)
    with pytest.raises(StaleBundle) as caught:
        Bundle.load(tmp_path, "b71c" * 16, ("recency", "spend", "silence_ratio"))
    message = str(caught.value)
    assert "made with features 3f9a3f9a3f9a, the running fold is b71cb71cb71c" in message
    assert "(added: silence_ratio; removed: frequency)" in message
    assert "Retrain with `waypost train`, or deploy the release that made it." in message
    with pytest.raises(StaleBundle, match="same names with another order, meaning or layout"):
        Bundle.load(tmp_path, "b71c" * 16, NAMES)
    with pytest.raises(StaleBundle, match="same names"):
        Bundle.load(tmp_path, FINGERPRINT, NAMES[::-1])
    assert read_manifest(tmp_path).fingerprint == FINGERPRINT


def test_a_missing_bundle_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(
        BundleError, match=r"no bundle in .*absent: expected bundle.json. Make one with `waypost train`"
    ):
        Bundle.load(tmp_path / "absent", FINGERPRINT, NAMES)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _edit(**changes: object) -> Callable[[Path], None]:
    def edit(directory: Path) -> None:
        path = directory / "bundle.json"
        fields = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))

    return edit


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (lambda directory: _flip(directory / "churn_28d.lightgbm.txt"), "churn_28d.lightgbm.txt is not the file"),
        (lambda directory: _flip(directory / "recommender.npz"), "recommender.npz is not the file that was written"),
        (lambda directory: (directory / "recommender.npz").unlink(), "recommender.npz is unreadable"),
        (lambda directory: (directory / "bundle.json").write_text('{"format": 4'), "bundle.json is unreadable"),
        (lambda directory: (directory / "bundle.json").write_text("[]"), "bundle.json is unreadable"),
        (_edit(seed=None), r"bundle.json is unreadable \(KeyError: 'seed'\)"),
        (_edit(targets={"churn_28d": {"colour": "red"}}), r"bundle.json is unreadable \(TypeError"),
        (_edit(seed=8), "bundle.json says version"),
        (_edit(format=99), "has format 99; expected 4"),
    ],
)
def test_a_damaged_bundle_is_refused(
    bundle: Bundle, tmp_path: Path, harm: Callable[[Path], None], problem: str
) -> None:
    bundle.save(tmp_path)
    harm(tmp_path)
    with pytest.raises(BundleError, match=problem) as caught:
        Bundle.load(tmp_path, FINGERPRINT, NAMES)
    assert "`waypost train`" in str(caught.value)


def test_whole_files_of_the_wrong_content_are_damage(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path)
    path = tmp_path / "bundle.json"
    scorer = tmp_path / "churn_28d.scorer.json"
    scorer.write_text(json.dumps(json.loads(scorer.read_text()) | {"calibration": {"kind": "identity"}}))
    fields = json.loads(path.read_text())
    fields["files"]["churn_28d.scorer.json"] = hashlib.sha256(scorer.read_bytes()).hexdigest()
    fields["version"] = Manifest.from_fields(fields).hashed(fields["files"])
    path.write_text(json.dumps(fields))
    with pytest.raises(BundleError, match=r"damaged: The card of churn_28d says calibration 'platt'.*`waypost train`"):
        Bundle.load(tmp_path, FINGERPRINT, NAMES)


def test_saving_replaces_a_bundle_and_leaves_nothing_beside_it(bundle: Bundle, text: str, tmp_path: Path) -> None:
    place = tmp_path / "data" / "champion"
    bundle.save(place)
    (place / "leftover.txt").write_text("of an older format")
    newer = _bundle(text, seed=8)
    newer.save(place)
    assert Bundle.load(place, FINGERPRINT, NAMES).version == newer.version
    assert not (place / "leftover.txt").exists()
    assert [each.name for each in place.parent.iterdir()] == ["champion"]


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_failed_save_leaves_the_old_bundle(
    bundle: Bundle, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    place = tmp_path / "champion"
    bundle.save(place)
    rename = Path.rename

    def fail_into_place(source: Path, target: Path) -> Path:
        if target == place and not source.name.endswith("-replaced"):
            raise OSError(28, "No space left on device")
        return rename(source, target)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync", fail) if call == "fsync" else (Path, "rename", fail_into_place)))
    with pytest.raises(BundleError, match=r"could not be written to .*champion: .*No space left"):
        _bundle(text, seed=8).save(place)
    assert Bundle.load(place, FINGERPRINT, NAMES).version == bundle.version
    assert [each.name for each in tmp_path.iterdir()] == ["champion"]


def test_what_is_no_bundle_is_not_replaced(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("precious")
    with pytest.raises(BundleError, match="exists and is not a bundle"):
        bundle.save(tmp_path)
    with pytest.raises(BundleError, match="exists and is not a bundle"):
        bundle.save(tmp_path / "orders.csv")
    assert (tmp_path / "orders.csv").read_text() == "precious"


def test_a_reader_beside_a_writer_sees_one_bundle_or_the_other(bundle: Bundle, text: str, tmp_path: Path) -> None:
    place = tmp_path / "champion"
    newer = _bundle(text, seed=8)
    bundle.save(place)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            newer.save(place)
            bundle.save(place)

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    try:
        for _ in range(100):
            try:
                seen.add(Bundle.load(place, FINGERPRINT, NAMES).version)
            except BundleError as error:
                assert "There is no bundle" in str(error)  # the instant between two renames
    finally:
        stop.set()
        writer.join()
    assert seen
    assert seen <= {bundle.version, newer.version}


def test_parts_that_disagree_make_no_bundle(bundle: Bundle) -> None:
    scorers, cards = bundle.scorers, bundle.manifest.targets
    with pytest.raises(ValueError, match=r"Scorers are for \['churn_28d'\], the manifest's targets are"):
        Bundle({"churn_28d": scorers["churn_28d"]}, [bundle.recommender], bundle.manifest)
    with pytest.raises(ValueError, match="takes other features"):
        Bundle(scorers, [bundle.recommender], replace(bundle.manifest, features=NAMES[::-1]))
    with pytest.raises(ValueError, match="says calibration 'platt', its scorer has 'isotonic'"):
        wrong = {name: replace(card, calibration="platt") for name, card in cards.items()}
        Bundle(scorers, [bundle.recommender], replace(bundle.manifest, targets=wrong))
    with pytest.raises(ValueError, match=r"target '\.\./secret' names files"):
        escaping = replace(bundle.manifest, targets={"../secret": cards["churn_28d"]})
        Bundle({"../secret": scorers["churn_28d"]}, [bundle.recommender], escaping)
    with pytest.raises(ValueError, match="JSON compliant"):
        Bundle(scorers, [bundle.recommender], replace(bundle.manifest, policy={"floor": float("nan")}))


def test_loading_is_quick_and_imports_no_training_code(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path)
    program = (
        "import sys, time; from models.bundle.bundle import Bundle\n"
        "start = time.perf_counter()\n"
        f"bundle = Bundle.load({str(tmp_path)!r}, {FINGERPRINT!r}, {NAMES})\n"
        "print(time.perf_counter() - start)\n"
        "heavy = {'lightgbm', 'pandas', 'sklearn', 'scipy', 'mlflow', 'pyarrow', 'training'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    seconds, heavy = done.stdout.splitlines()
    assert heavy == "[]"
    assert float(seconds) < 0.2
