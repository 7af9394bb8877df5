"""A probe on cached features is the probe that computes them in every epoch."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import visionlab
from visionlab.config.load import load_train_config
from visionlab.config.resolved import change_config
from visionlab.data import feature_file
from visionlab.errors import ConfigError, InterruptedRun, UserError
from visionlab.models.pretrained.network import Pretrained
from visionlab.tracking.catalog import all_runs
from visionlab.tracking.run import Run
from visionlab.training import features
from visionlab.training.classifier import Classifier
from visionlab.training.engine import resume, train
from visionlab.training.fitting import evaluate

PROBE = [
    "data=digits",
    "data.fraction=0.1",
    "data.batch_size=40",
    "model=pretrained",
    "model.input_size=32",
    "adapt.freeze=backbone",
    "trainer.max_epochs=3",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "tracking=off",
]
CACHED = "adapt.cache_features=true"


def run(*overrides: str) -> Run:
    finished = train(load_train_config([*PROBE, "tracking.figures=false", *overrides]))
    assert finished is not None
    return finished


def weights(finished: Run) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(finished.checkpoints / "last.ckpt", weights_only=True)["state_dict"]
    return state


def files(home: Path) -> list[Path]:
    return sorted((home / "data" / ".cache").glob("features-*.npy"))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Images of each pass through a backbone."""
    counts: list[int] = []
    usual = Pretrained.features

    def counted(self: Pretrained, images: Tensor) -> Tensor:
        counts.append(len(images))
        return usual(self, images)

    monkeypatch.setattr(Pretrained, "features", counted)
    return counts


@pytest.mark.parametrize("precision", ["32-true", pytest.param("bf16-mixed", marks=pytest.mark.slow)])
def test_the_result_is_that_of_the_uncached_probe(precision: str) -> None:
    # gradients that are nothing but rounding are steps of full length to AdamW
    settings = ["optimizer=sgd", f"trainer.precision={precision}", "model.dropout=0.2", "trainer.ema_decay=0.9"]
    plain, cached = run(*settings), run(*settings, CACHED)
    ours, theirs = weights(cached), weights(plain)
    assert ours.keys() == theirs.keys()
    assert theirs["network.head.weight"].abs().max() > 0.001
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
    assert cached.report()["test"] == pytest.approx(plain.report()["test"], rel=1e-3)
    assert cached.report()["confusion"] == plain.report()["confusion"]


def test_each_image_goes_through_the_backbone_once_and_in_a_second_run_not_at_all(
    passes: list[int], home: Path
) -> None:
    first = run(CACHED, "trainer.max_epochs=5")
    sizes = visionlab.load(first.id).data.sizes
    assert sum(passes) == sum(sizes.values())
    passes.clear()
    second = run(CACHED, "trainer.max_epochs=5", "optimizer.lr=0.01")
    assert sum(passes) == sizes["test"]
    assert len(files(home)) == 2
    assert second.report()["test"]["accuracy"] > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("change", ["data.split_seed=1", "model.input_size=48", "trainer.precision=bf16-mixed"])
def test_other_images_or_another_way_to_see_them_are_computed_anew(change: str, passes: list[int]) -> None:
    run(CACHED, "trainer.max_epochs=1")
    passes.clear()
    run(CACHED, "trainer.max_epochs=1", *([change] if "=" in change else []))
    assert sum(passes) == 359 + 129 + 14


@pytest.mark.slow
def test_the_run_is_whole_loads_and_resumes_as_any(home: Path) -> None:
    finished = run(CACHED, "schedule=constant", "tracking.figures=true")
    assert (finished.figures / "augmented.png").exists()
    loaded = visionlab.load(finished.id)
    image = next(iter(loaded.data.test_dataloader())).images
    assert image.ndim == 4
    evaluate(loaded.config, loaded.module, loaded.data, [])
    assert loaded.module.scores is not None
    assert loaded.module.scores.summary == pytest.approx(finished.report()["test"])
    resume(finished, change_config(finished.config(), ["trainer.max_epochs=5"], ("trainer",)))
    straight = run(CACHED, "schedule=constant", "trainer.max_epochs=5")
    assert torch.equal(weights(finished)["network.head.weight"], weights(straight)["network.head.weight"])
    assert len(files(home)) == 2


@pytest.mark.slow
def test_views_are_what_the_augmented_images_look_like_to_the_backbone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["data.augment.translate=1"]
    handed: list[tuple[int, Tensor, Tensor]] = []
    usual = features.ImageDataModule.hand_out_features

    def spy(self: Any, found: Any) -> None:
        if found:
            view = torch.from_numpy(np.array(found["train"]))
            handed.append((len(view), view, torch.from_numpy(np.array(found["val"]))))
        usual(self, found)

    monkeypatch.setattr(features.ImageDataModule, "hand_out_features", spy)
    run(CACHED, *settings, "adapt.views=3")
    ((count, views, validation),) = handed
    assert count == 3
    assert validation.shape[0] == 1
    assert not torch.equal(views[0], views[1])
    run(CACHED)
    plain = handed[1][1]
    assert plain.shape == (1, *views.shape[1:])
    # an image that was moved is nearer to itself than another one is
    own = (views[0] - plain[0]).norm(dim=1)
    assert (own < (views[0] - plain[0].roll(1, dims=0)).norm(dim=1)).float().mean() > 0.7


def test_augmentation_without_views_would_do_nothing_and_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data.augment: changes no features that are cached; set adapt.views"):
        load_train_config([*PROBE, CACHED, "data.augment.translate=2"])
    with pytest.raises(ConfigError, match="features are of one image"):
        load_train_config([*PROBE, CACHED, "adapt.views=2", "data.augment.mixup=0.2"])
    with pytest.raises(ConfigError, match="the same features serve all epochs"):
        load_train_config([*PROBE, CACHED, "adapt.views=2", "data.augment.progressive=[6]"])


@pytest.mark.slow
@pytest.mark.parametrize("error", [RuntimeError("broken"), InterruptedRun(signal.SIGTERM)])
def test_what_ends_in_an_error_leaves_the_threads_as_they_were(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, during = torch.get_num_threads(), []
    torch.set_num_threads(2)

    def broken(*_: object) -> None:
        during.append(torch.get_num_threads())
        raise error

    monkeypatch.setattr(Classifier, "training_step", broken)
    try:
        with pytest.raises(type(error)):
            run(CACHED, "trainer.max_epochs=1")
        assert (during, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_half_a_file_is_made_anew(home: Path, passes: list[int]) -> None:
    run(CACHED, "trainer.max_epochs=1")
    for file in files(home):
        file.write_bytes(file.read_bytes()[:-100])
    passes.clear()
    run(CACHED, "trainer.max_epochs=1")
    assert sum(passes) == 359 + 129 + 14


@pytest.mark.slow
def test_of_many_files_those_in_use_are_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_file, "KEPT", 2)
    run(CACHED, "trainer.max_epochs=1")
    kept = files(home)
    run(CACHED, "trainer.max_epochs=1", "data.split_seed=1")
    assert len(files(home)) == 2
    assert not set(files(home)) & set(kept)


@pytest.mark.slow
def test_two_processes_share_the_work_and_end_where_one_does(home: Path, cli: Callable[..., Any]) -> None:
    settings = [*PROBE, CACHED, "optimizer=sgd", "tracking.figures=false"]
    done = cli("train", *settings, "trainer.devices=2", "name=two", timeout=400)
    assert done.returncode == 0, done.stderr
    shared = {file.name: np.load(file) for file in files(home)}
    assert {file.name for file in (home / "data" / ".cache").iterdir()} == {*shared, "features.lock"}
    for file in files(home):
        file.unlink()
    one = run("optimizer=sgd", CACHED)
    for file in files(home):
        np.testing.assert_allclose(shared[file.name], np.load(file), rtol=1e-4, atol=1e-4)
    (two,) = (other for other in all_runs(home / "runs") if other.id != one.id)
    torch.testing.assert_close(
        weights(two)["network.head.weight"], weights(one)["network.head.weight"], rtol=1e-3, atol=1e-4
    )
    assert two.report()["confusion"] == one.report()["confusion"]
    assert two.report()["test"] == pytest.approx(one.report()["test"], rel=1e-3)


@pytest.mark.slow
def test_one_batch_for_debugging_needs_no_features(home: Path, passes: list[int]) -> None:
    run(CACHED, "debug=true")
    assert files(home) == []
    assert max(passes) <= 359


@pytest.mark.slow
def test_a_place_that_cannot_be_written_to_is_told(home: Path) -> None:
    (home / "data").mkdir()
    (home / "data" / ".cache").touch()
    with pytest.raises(UserError, match=r"adapt\.cache_features: the features cannot be kept in .*\.cache \(1 MB\)"):
        run(CACHED, "trainer.max_epochs=1")
