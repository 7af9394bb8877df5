"""Several processes train on disjoint shares that together are the epoch, and validate to the last image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.property.ranks import in_ranks
from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.data.loader import Batch
from visionlab.tracking import journal
from visionlab.tracking.run import Run
from visionlab.training.build import build_data, build_module
from visionlab.training.classifier import Classifier
from visionlab.training.engine import train
from visionlab.training.fitting import load_weights

EPOCHS, BATCH = 2, 42
CONFIG = [
    "experiment=digits",
    "model=mlp",
    "model.hidden=[16]",
    "data.fraction=0.2",  # 259 images to train on, 29 to validate on
    f"data.batch_size={BATCH}",
    "data.eval_batch_size=7",  # 29 = 4 x 7 + 1: in the last step only one process has an image
    "data.augment.translate=0",
    f"trainer.max_epochs={EPOCHS}",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "tracking=off",
    "tracking.figures=false",
]

Seen = list[list[int]]


def trained(ranks: int, folder: Path, *overrides: str) -> tuple[Run, list[Seen]]:
    """What so many processes train, and by rank the images of each epoch in the order of their use."""

    def work(rank: int) -> Seen:
        seen: Seen = []
        usual = Classifier.training_step

        def step(self: Classifier, batch: Batch, batch_idx: int) -> Any:
            if batch_idx == 0:
                seen.append([])
            seen[-1] += batch.indices.tolist()
            return usual(self, batch, batch_idx)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Classifier, "training_step", step)
            train(load_train_config([*CONFIG, f"trainer.devices={ranks}", *overrides]))
        return seen

    folder.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("VISIONLAB_HOME", str(folder))
        seen = in_ranks(ranks, work, folder)
        (path,) = project.runs().iterdir()
    return Run(path), seen


def weights(run: Run) -> dict[str, torch.Tensor]:
    return dict(torch.load(run.checkpoints / "last.ckpt", weights_only=True)["state_dict"])


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Seen]]:
    """Of one process."""
    return trained(1, tmp_path_factory.mktemp("one") / "home")


@pytest.mark.parametrize("ranks", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_shares_are_disjoint_and_together_they_are_the_epoch(
    ranks: int, one: tuple[Run, list[Seen]], tmp_path: Path
) -> None:
    alone, (whole,) = one
    run, seen = trained(ranks, tmp_path / "home")
    size = build_data(run.config()).sizes["train"]
    assert size % ranks
    for epoch in range(EPOCHS):
        assert len(set(whole[epoch])) == len(whole[epoch]) == size - size % BATCH
        for rank in range(ranks):
            assert seen[rank][epoch] == whole[epoch][rank::ranks]
    assert whole[0] != whole[1]
    for name, tensor in weights(alone).items():
        torch.testing.assert_close(weights(run)[name], tensor, rtol=1e-4, atol=1e-5)
    assert validated(run) == pytest.approx(measured_by_one(run), abs=1e-6)


@pytest.mark.slow
def test_an_epoch_that_is_smaller_than_a_batch_counts_each_image_alike(tmp_path: Path) -> None:
    small = "data.batch_size=300"
    alone, (whole,) = trained(1, tmp_path / "one", small)
    size = build_data(alone.config()).sizes["train"]
    assert [len(epoch) for epoch in whole] == [size] * EPOCHS
    for ranks in (2, 3):
        run, seen = trained(ranks, tmp_path / f"{ranks}", small)
        for epoch in range(EPOCHS):
            assert sorted(index for share in seen for index in share[epoch]) == list(range(size))
        for name, tensor in weights(alone).items():
            torch.testing.assert_close(weights(run)[name], tensor, rtol=1e-5, atol=1e-6)


def validated(run: Run) -> dict[str, float]:
    """What the journal has of the last validation."""
    records = [r["values"] for r in journal.read(run.journal_file)[0] if "val/accuracy" in r.get("values", {})]
    return {name.removeprefix("val/"): value for name, value in records[-1].items() if name.startswith("val/")}


def measured_by_one(run: Run) -> dict[str, float]:
    """The same of the last weights, computed here at once."""
    datamodule = build_data(run.config())
    module = build_module(run.config(), datamodule).eval()
    load_weights(module, run.checkpoints / "last.ckpt")
    (batch,) = datamodule.evaluation_loader("val", datamodule.sizes["val"])
    with torch.no_grad():
        module.metrics.update(module(batch.images), batch.targets, batch.indices)
    return dict(module.metrics.compute().summary)
