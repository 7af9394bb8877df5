"""What is measured is the same for any number of processes, any size and any precision: to the last image."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from tests.property.ranks import in_ranks
from visionlab.config.data import DigitsConfig
from visionlab.config.load import load_train_config
from visionlab.config.resolved import change_config
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule, Raw
from visionlab.data.digits import Digits
from visionlab.data.images import ImageSet
from visionlab.figures.hardest import hardest
from visionlab.tracking import predictions
from visionlab.tracking.run import Run
from visionlab.training import hardware
from visionlab.training.build import build_module
from visionlab.training.engine import resume, train
from visionlab.training.fitting import evaluate, load_weights
from visionlab.training.metrics import Scores
from visionlab.training.results import KeepScores

RANKS = (1, 2, 3)
SIZES = (1, 2, 5, 997, 1797)
FEW_SIZES = (2, 997)  # fewer than there are processes, and what they cannot share equally
PRECISIONS = ("32-true", "bf16-mixed")
CONFIG = [
    "experiment=digits",
    "model.width=8",
    "data.fraction=0.2",
    "data.batch_size=42",
    "data.eval_batch_size=128",  # 997 = 7 x 128 + 101, 1,797 = 14 x 128 + 5: nothing divides by 2 or 3
    "trainer.max_epochs=10",
    "trainer.accelerator=cpu",
    "tracking=off",
]

Found = dict[tuple[str, int], tuple[Scores, Run | None]]  # by precision and size
Table = Callable[[int, tuple[int, ...]], list[Found]]


def config(*overrides: str) -> TrainConfig:
    loaded = load_train_config([*CONFIG, *overrides])
    return loaded.model_copy(update={"trainer": hardware.resolve(loaded.trainer)})


class Sized(ImageDataModule[DigitsConfig]):
    """So many digits to test on, and the negatives of all of them to train on."""

    def __init__(self, config: DigitsConfig, size: int) -> None:
        super().__init__(config)
        self._size = size

    def read(self) -> Raw:
        raw = Digits(self.config).read()
        images, labels = raw.train.images, raw.train.labels
        assert isinstance(images, Tensor)
        test = ImageSet(images[: self._size], labels[: self._size])
        return Raw(ImageSet(255 - images, labels), test, raw.classes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has learnt the digits well enough to be sure, and not so well that it makes no mistakes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("VISIONLAB_HOME", str(tmp_path_factory.mktemp("trained")))
        finished = train(config("trainer.precision=32-true", "tracking.figures=false"))
    assert finished is not None
    return finished


def measured(trained: Run, data: dict[int, Sized], ranks: int, folder: Path) -> list[Found]:
    """By rank what the test of every size in every precision gives, and the run that it is written into."""

    def work(rank: int) -> Found:
        found = {}
        for precision in PRECISIONS:
            settings = config(f"trainer.precision={precision}", f"trainer.devices={ranks}")
            for size, datamodule in data.items():
                module = build_module(settings, datamodule)
                load_weights(module, trained.checkpoint())
                run = Run.create(folder / "runs", settings) if rank == 0 else None
                evaluate(settings, module, datamodule, [KeepScores(run)] if run is not None else [])
                assert module.scores is not None
                found[precision, size] = module.scores, run
        return found

    return in_ranks(ranks, work, folder)


@pytest.fixture(scope="module")
def table(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """`measured` by number of processes and sizes: one launch for each number."""
    settings = config().data
    assert isinstance(settings, DigitsConfig)
    data = {size: Sized(settings, size) for size in SIZES}
    for datamodule in data.values():
        datamodule.setup()

    @functools.cache
    def measure(ranks: int, sizes: tuple[int, ...]) -> list[Found]:
        return measured(trained, {size: data[size] for size in sizes}, ranks, tmp_path_factory.mktemp("ranks"))

    return measure


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("size", FEW_SIZES)
def test_three_processes_have_the_numbers_of_one(size: int, precision: str, table: Table) -> None:
    assert_same(size, precision, *(table(ranks, FEW_SIZES) for ranks in (1, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("size", SIZES)
def test_every_number_is_that_of_one_process(size: int, precision: str, ranks: int, table: Table) -> None:
    assert_same(size, precision, table(1, SIZES), table(ranks, SIZES))


def assert_same(size: int, precision: str, one: list[Found], several: list[Found]) -> None:
    """What each of several processes comes to, and what one does."""
    ((expected, run),) = (found[precision, size] for found in one)
    assert expected.confusion.sum() == size
    for rank, (scores, written) in enumerate(found[precision, size] for found in several):
        assert torch.equal(scores.confusion, expected.confusion)
        assert torch.equal(scores.labels, expected.labels)
        if precision == "32-true":
            assert scores.summary == pytest.approx(expected.summary, abs=1e-6, nan_ok=True)
            assert scores.per_class.keys() == expected.per_class.keys()
            for name, values in expected.per_class.items():
                assert scores.per_class[name] == pytest.approx(values, abs=1e-6, nan_ok=True)
            torch.testing.assert_close(scores.probabilities, expected.probabilities, atol=1e-6, rtol=0)
        assert (written is not None) == (rank == 0)
    assert_same_files(several[0][precision, size][1], run, exactly=precision == "32-true")


def assert_same_files(several: Run | None, one: Run | None, exactly: bool) -> None:
    """What the run folder has of a test: predictions, tables, report, and so the hardest images."""
    assert several is not None
    assert one is not None
    ours, theirs = predictions.load(several), predictions.load(one)
    assert np.array_equal(ours.labels, theirs.labels)
    assert np.array_equal(ours.predicted, theirs.predicted)
    assert several.report()["confusion"] == one.report()["confusion"]
    confusion = "tables/confusion_matrix.json"
    assert (several.path / confusion).read_text() == (one.path / confusion).read_text()
    if exactly:
        assert same_numbers(several.report(), one.report(), 1e-6)
        assert hardest(*ours).tolist() == hardest(*theirs).tolist()
        tables = [json.loads((run.path / "tables" / "per_class.json").read_text()) for run in (several, one)]
        assert same_numbers(*tables, 1e-6)


def same_numbers(ours: Any, theirs: Any, tolerance: float) -> bool:
    """Whether two pieces of JSON have the same form, and numbers that differ by no more than that."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same_numbers(ours[key], theirs[key], tolerance) for key in ours)
    if isinstance(ours, list):
        pairs = zip(ours, theirs, strict=True)
        return len(ours) == len(theirs) and all(same_numbers(a, b, tolerance) for a, b in pairs)
    if isinstance(ours, float):
        return isinstance(theirs, float) and ours == pytest.approx(theirs, abs=tolerance, rel=0, nan_ok=True)
    return bool(ours == theirs)


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are composed and their numbers written, but no picture is painted: nearly all of the time."""
    monkeypatch.setattr(Figure, "savefig", lambda self, file, **_: Image.new("L", (1, 1)).save(file))


@pytest.mark.slow
def test_pictures_and_page_show_the_numbers_of_one_process(trained: Run, unpainted: None, tmp_path: Path) -> None:
    shown = {}
    for ranks in RANKS:
        folder = tmp_path / str(ranks)
        folder.mkdir()
        run = Run(folder / trained.id)
        shutil.copytree(trained.path, run.path)
        settings = change_config(
            run.config(), [f"trainer.devices={ranks}", "tracking.figures=true"], ("trainer", "tracking")
        )

        def work(rank: int, run: Run = run, settings: TrainConfig = settings) -> None:
            resume(run, settings)  # it is trained already, and tested once more

        in_ranks(ranks, work, folder)
        shown[ranks] = {file.name: file for file in numbers_of_figures(run)}
    assert {"roc.csv", "reliability.csv", "hardest.json", "per_class.csv"} <= shown[1].keys()
    for ranks in RANKS[1:]:
        assert shown[ranks].keys() == shown[1].keys()
        for name, file in shown[ranks].items():
            assert file.read_text() == shown[1][name].read_text(), name


def numbers_of_figures(run: Run) -> Iterator[Path]:
    """The files beside the pictures of a tested split."""
    return (file for file in run.figures.iterdir() if file.suffix in (".csv", ".json"))
