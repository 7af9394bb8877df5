"""Weights of one's own earlier runs as the start on another data set."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import visionlab
from visionlab.config.load import load_train_config
from visionlab.errors import UserError
from visionlab.tracking.run import Run
from visionlab.training.build import build_data, build_module
from visionlab.training.classifier import Classifier
from visionlab.training.engine import resume, train
from visionlab.training.starting import initialize

COMMON = [
    "model=cnn",
    "model.width=4",
    "data.batch_size=20",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "tracking=off",
    "tracking.figures=false",
]
DIGITS = ["data=digits", "data.fraction=0.1", *COMMON]


@pytest.fixture
def earlier() -> Run:
    finished = train(load_train_config(DIGITS))
    assert finished is not None
    return finished


def folder(root: Path, classes: tuple[str, ...] = ("bright", "dark")) -> list[str]:
    """Settings for a data set of grey pictures of 8x8 pixels."""
    for split in ("train", "test"):
        for label, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            for number in range(10):
                generator = np.random.default_rng([label, number, len(split)])
                pixels = generator.integers(0, 100, (8, 8), dtype=np.uint8) + np.uint8(15 * label)
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
    return ["data=folder", f"data.root={root}", "data.color=grey", "data.image_size=8", *COMMON]


def start(settings: list[str], seed: int = 0) -> Classifier:
    """A module as it is before its first step."""
    config = load_train_config(settings)
    torch.manual_seed(seed)
    datamodule = build_data(config)
    module = build_module(config, datamodule)
    initialize(config, module, datamodule)
    return module


def network_of(run: Run) -> dict[str, torch.Tensor]:
    state = torch.load(run.checkpoint(), weights_only=True)["state_dict"]
    return {name.removeprefix("network."): tensor for name, tensor in state.items() if name.startswith("network.")}


def differing(module: Classifier, run: Run) -> set[str]:
    theirs = network_of(run)
    ours = module.network.state_dict()
    assert ours.keys() == theirs.keys()
    return {
        name for name in ours if ours[name].shape != theirs[name].shape or not torch.equal(ours[name], theirs[name])
    }


def test_another_data_set_gets_the_body_and_a_head_of_its_own(earlier: Run, tmp_path: Path) -> None:
    settings = [*folder(tmp_path / "images"), f"model.init_from={earlier.id}"]
    module = start(settings)
    assert differing(module, earlier) == {"head.weight"}
    assert module.network.get_parameter("head.weight").shape[0] == 2
    finished = train(load_train_config([*settings, "trainer.max_epochs=1"]))
    assert finished is not None
    assert len(finished.report()["confusion"]) == 2
    assert finished.config().model.init_from == earlier.id


def test_the_same_classes_keep_the_head(earlier: Run) -> None:
    assert differing(start([*DIGITS, "model.init_from=last"]), earlier) == set()


def test_as_many_classes_of_other_names_get_a_new_head(earlier: Run, tmp_path: Path) -> None:
    names = tuple(f"kind {number}" for number in range(10))
    module = start([*folder(tmp_path / "images", names), f"model.init_from={earlier.id}"])
    assert differing(module, earlier) == {"head.weight"}


def test_a_checkpoint_file_is_as_good_as_its_run_and_alone_it_gives_a_new_head(earlier: Run, tmp_path: Path) -> None:
    assert differing(start([*DIGITS, f"model.init_from={earlier.checkpoint()}"]), earlier) == set()
    alone = tmp_path / "elsewhere" / "alone.ckpt"
    alone.parent.mkdir()
    shutil.copy(earlier.checkpoint(), alone)
    assert differing(start([*DIGITS, f"model.init_from={alone}"]), earlier) == {"head.weight"}


def test_the_run_that_is_meant_is_recorded_and_need_not_be_there_any_more_later(earlier: Run) -> None:
    second = train(load_train_config([*DIGITS, "model.init_from=last"]))
    assert second is not None
    assert second.config().model.init_from == earlier.id
    shutil.rmtree(earlier.path)
    visionlab.load(second.id)
    resume(second, second.config())
    with pytest.raises(UserError, match="expected a run id"):
        start([*DIGITS, f"model.init_from={earlier.id}"])


@pytest.mark.parametrize(
    ("change", "named"),
    [("model.width=8", "whiten|stages"), ("model=mlp", "body.1.weight is missing there")],
)
def test_weights_of_another_network_are_refused_with_the_first_that_differs(
    change: str, named: str, earlier: Run
) -> None:
    settings = [setting for setting in DIGITS if not setting.startswith("model" if "mlp" in change else change[:11])]
    with pytest.raises(UserError, match=rf"found those of another network .*({named}).*set model\.\* and the images'"):
        start([*settings, change, f"model.init_from={earlier.id}"])


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(
        UserError, match=r"model.init_from: expected a run or a checkpoint file, found no file nowhere.ckpt"
    ):
        train(load_train_config([*DIGITS, "model.init_from=nowhere.ckpt"]))


def test_a_file_below_the_home_folder_stays_that_file(
    earlier: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other" / earlier.id
    other.parent.mkdir()
    shutil.move(earlier.path, other)  # no run of this project's any more
    monkeypatch.setenv("HOME", str(tmp_path))
    name = f"~/other/{earlier.id}/checkpoints/best.ckpt"
    second = train(load_train_config([*DIGITS, f"model.init_from={name}"]))
    assert second is not None
    assert second.config().model.init_from == str(tmp_path / name[2:])


def test_a_file_of_other_origin_is_refused_with_the_way_that_there_is_for_it(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(
        UserError, match=r"model.init_from: expected a run's checkpoint .*other.pth.*model.weights=FILE"
    ):
        start([*DIGITS, f"model.init_from={tmp_path / 'other.pth'}"])


def test_an_earlier_run_is_enough_for_a_network_without_weights_here() -> None:
    small = [*(s for s in DIGITS if not s.startswith("model")), "model=pretrained", "model.arch=test_resnet"]
    first = train(load_train_config([*small, "model.input_size=32", "model.weights=none"]))
    assert first is not None
    module = start([*small, "model.input_size=32", f"model.init_from={first.id}"])
    assert differing(module, first) == set()


def test_a_pretrained_network_starts_from_its_weights_or_from_an_earlier_run() -> None:
    from visionlab.models.pretrained.embedded import embedded_weights

    lite0 = [*(s for s in DIGITS if not s.startswith("model")), "model=pretrained", "model.input_size=32"]
    module = start(lite0)
    expected = embedded_weights()
    state = module.network.state_dict()
    for name in ("backbone.conv_stem.weight", "backbone.bn2.running_var"):
        assert torch.equal(state[name], expected[name.removeprefix("backbone.")])
    first = train(load_train_config([*lite0, "adapt.freeze=backbone"]))
    assert first is not None
    assert differing(start([*lite0, f"model.init_from={first.id}"]), first) == set()
