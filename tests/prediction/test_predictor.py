"""Files are seen as test images were, without the data set; what is wrong with one is no matter to the others."""

from __future__ import annotations

import itertools
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import visionlab
from tests.prediction.trained import Trained
from visionlab.config.load import load_train_config
from visionlab.data.decode import decode
from visionlab.data.digits import Digits
from visionlab.data.spec import DataSpec
from visionlab.errors import UserError
from visionlab.prediction import predictor as predictor_module
from visionlab.prediction.loading import load_predictor
from visionlab.prediction.predictor import Prediction, Predictor
from visionlab.tracking import predictions
from visionlab.training import checkpoint_file
from visionlab.training.build import build_module
from visionlab.training.hardware import resolve

CIFAR10 = DataSpec(tuple("abcdefghij"), (1,) * 10, None, (3, 32, 32), None, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


def table(found: list[Prediction], classes: tuple[str, ...]) -> np.ndarray:
    """(N, K) probabilities in the order of the classes."""
    assert all(one.error is None and len(one.ranking) == len(classes) for one in found)
    return np.array([[dict(one.ranking)[name] for name in classes] for one in found])


def with_spec(spec: DataSpec, *overrides: str) -> Predictor:
    """A network that has learnt nothing."""
    settings = ["trainer.precision=32-true", "trainer.accelerator=cpu", *overrides]
    config = load_train_config(["data=cifar10", "model=resnet", "model.depth=20", "model.width=4", *settings])
    config = config.model_copy(update={"trainer": resolve(config.trainer)})
    torch.manual_seed(0)
    return Predictor("untrained", build_module(config, spec), spec, config)


@pytest.mark.parametrize("name", ["plain", "cropped", "grey", "probe"])
def test_files_get_the_probabilities_of_the_runs_own_test(name: str, trained: Trained) -> None:
    tested = predictions.load(trained.runs[name])
    predictor = load_predictor(trained.runs[name].id)
    classes = predictor.spec.classes
    found = table(list(predictor.predict(trained.files, top=3)), classes)
    assert np.abs(found - tested.probabilities).max() <= 1e-6
    assert [file.parent.name for file in trained.files] == [classes[label] for label in tested.labels]
    # they are not all alike, so that other pixels would have given others
    assert tested.probabilities.std(axis=0).min() > 1e-3
    predictor.batch_size = 5
    assert np.abs(table(list(predictor.predict(trained.files, top=3)), classes) - tested.probabilities).max() <= 1e-6


def test_digits_saved_as_pictures_get_the_probabilities_of_the_test(trained: Trained, tmp_path: Path) -> None:
    run = trained.runs["digits"]
    data = Digits(run.config().data)
    data.setup()
    files = []
    for number, pixels in enumerate(data.pixels("test", range(60))):
        files.append(tmp_path / f"{number:02}.png")
        Image.fromarray(pixels[0].numpy()).save(files[-1])
    found = table(list(load_predictor(run.id).predict(files, top=10)), tuple("0123456789"))
    assert np.abs(found - predictions.load(run).probabilities[:60]).max() <= 1e-6


def test_other_ways_to_normalise_or_to_cut_give_other_probabilities(trained: Trained) -> None:
    predictor = load_predictor(trained.runs["cropped"].id)
    tested = predictions.load(trained.runs["cropped"]).probabilities
    spec = predictor.spec
    for wrong in (replace(spec, mean=(0.5, 0.5, 0.5)), replace(spec, side=None), replace(spec, std=(0.1, 0.1, 0.1))):
        predictor.spec = wrong
        found = table(list(predictor.predict(trained.files, top=3)), spec.classes)
        assert np.abs(found - tested).max() > 1e-3


def test_images_of_any_size_are_brought_to_that_of_the_training_images(tmp_path: Path) -> None:
    large, small = tmp_path / "large.png", tmp_path / "small.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)).save(large)
    Image.fromarray(decode(large, 32, "rgb").transpose(1, 2, 0)).save(small)
    one, other = with_spec(CIFAR10).predict([large, small], top=10)
    assert dict(one.ranking) == pytest.approx(dict(other.ranking), abs=1e-6)
    assert len(one.ranking) == 10


def test_broken_files_keep_their_place_and_the_others_their_probabilities(trained: Trained, tmp_path: Path) -> None:
    files = trained.files[:6]
    cut = tmp_path / "cut.png"
    cut.write_bytes(files[0].read_bytes()[:-600])
    words = tmp_path / "words.png"
    words.write_text("no image")
    mixed = [words, files[0], cut, *files[1:], tmp_path / "missing.png"]
    predictor = load_predictor(trained.runs["plain"].id)
    clean = {one.file: one for one in predictor.predict(files, top=3)}
    predictor.batch_size = 2
    found = list(predictor.predict(mixed, top=3))
    assert [one.file for one in found] == mixed
    assert {one.file: one.error for one in found if one.error} == {
        words: "not an image of a known kind",
        cut: found[2].error,
        mixed[-1]: "No such file or directory",
    }
    for one in found:
        assert (one.label is None) == (one.error is not None) == (one.probability is None)
        if one.error is None:
            assert dict(one.ranking) == pytest.approx(dict(clean[one.file].ranking), abs=1e-6)


def test_a_pipe_without_a_writer_is_not_waited_for(trained: Trained, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    writer = threading.Timer(5, lambda: os.close(os.open(pipe, os.O_RDWR)))  # lets go of a reader that waits
    writer.start()
    began = time.monotonic()
    (one,) = load_predictor(trained.runs["plain"].id).predict([pipe])
    waited = time.monotonic() - began
    writer.cancel()
    assert one.error == "a pipe or a device, not a file"
    assert waited < 5


def test_any_number_of_files_takes_no_more_memory(trained: Trained) -> None:
    predictor = load_predictor(trained.runs["plain"].id)
    predictor.batch_size = 4
    asked = 0

    def endless() -> itertools.chain[Path]:
        nonlocal asked
        for file in itertools.cycle(trained.files):
            asked += 1
            yield file

    batches = predictor.batches(endless(), 1)
    for number in range(1, 4):
        batch = next(batches)
        assert len(batch.predictions) == len(batch.pixels) == 4
        assert asked <= 4 * (number + 1)
    batches.close()


def test_outputs_that_are_no_numbers_are_no_prediction(trained: Trained) -> None:
    predictor = load_predictor(trained.runs["plain"].id)
    with torch.no_grad():
        predictor.module.network.head.weight[1, 0] = float("nan")  # type: ignore[union-attr, index]
    (batch,) = predictor.batches(trained.files[:3], 1)
    assert [one.error for one in batch.predictions] == ["the network gives NaN or infinity for it"] * 3
    assert len(batch.pixels) == 0


def test_a_machine_that_fails_is_told_from_a_broken_file(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(predictor_module, "decode", fail)
    with pytest.raises(UserError, match=r"00\.png: cannot be read, the machine failed: Input/output error"):
        list(load_predictor(trained.runs["plain"].id).predict(trained.files))


@pytest.mark.parametrize("shape", [(3, 24, 32), (4, 32, 32)])
def test_networks_for_what_files_cannot_be_brought_to_are_refused(shape: tuple[int, int, int]) -> None:
    channels = shape[0]
    spec = replace(CIFAR10, stored_shape=shape, mean=(0.5,) * channels, std=(0.5,) * channels)
    with pytest.raises(UserError, match=r"untrained: expected a network for squares .* found one for images of"):
        with_spec(spec)


def test_a_batch_is_bounded_by_its_size_in_memory() -> None:
    assert with_spec(CIFAR10).batch_size == 1000
    assert with_spec(replace(CIFAR10, stored_shape=(3, 256, 256), side=224)).batch_size == 111
    assert with_spec(CIFAR10, "data.eval_batch_size=7").batch_size == 7


def test_a_checkpoint_of_before_asks_the_data_set_or_says_that_it_is_not_there(copied: Trained) -> None:
    run = copied.runs["digits"]
    new = load_predictor(run.id)
    for file in run.checkpoints.iterdir():
        content = checkpoint_file.read(file)
        assert content.pop("Digits")["classes"] == tuple("0123456789")
        checkpoint_file.write(content, file)
    old = load_predictor(run.id)
    assert old.spec == new.spec
    pixels = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8)
    assert np.array_equal(old.probabilities(pixels), new.probabilities(pixels))

    run = copied.runs["plain"]
    for file in run.checkpoints.iterdir():
        content = checkpoint_file.read(file)
        del content["Folder"]
        checkpoint_file.write(content, file)
    with pytest.raises(UserError, match=r"does not say how images are normalised.*data\.root: expected a folder"):
        load_predictor(run.id)


def test_a_notebook_gets_a_list(trained: Trained, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_text("")
    run = trained.runs["plain"].id
    found = visionlab.predict(run, [trained.photos / "dog", str(broken)], top=2)
    assert [one.file for one in found] == [*sorted((trained.photos / "dog").iterdir()), broken]
    assert len(found[0].ranking) == 2
    assert (found[0].label, found[0].probability) == found[0].ranking[0]
    assert found[-1].error is not None
    (one,) = visionlab.predict(run, str(trained.files[0]))
    assert one.label in ("cat", "dog", "owl")
    with pytest.raises(UserError, match=r"^nowhere\.jpg: No such file or directory$"):
        visionlab.predict(run, ["nowhere.jpg"])
