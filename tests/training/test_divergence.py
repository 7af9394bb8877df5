"""A loss that is no number stops the run with what is known of the step, or the step is left out."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.data.loader import Batch
from visionlab.tracking import journal
from visionlab.tracking.run import Run
from visionlab.training.classifier import Classifier
from visionlab.training.divergence import DivergedError
from visionlab.training.engine import train

TINY = [
    "experiment=digits",
    "model=mlp",
    "model.hidden=[16]",
    "data.fraction=0.3",
    "data.batch_size=50",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.log_every=1",
    "tracking=off",
    "tracking.figures=false",
]
BAD_STEP = 4  # counted from 0


@pytest.fixture
def bad_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of one step is infinite."""
    usual = Classifier.training_step

    def training_step(self: Classifier, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        outputs = usual(self, batch, batch_idx)
        if self.trainer.global_step == BAD_STEP:
            outputs["loss"] = outputs["loss"] * torch.inf
        return outputs

    monkeypatch.setattr(Classifier, "training_step", training_step)


def values(run: Run, name: str) -> dict[int, float]:
    records, _ = journal.read(run.journal_file)
    return {r["step"]: r["values"][name] for r in records if name in r.get("values", {})}


def weights(run: Run) -> dict[str, Any]:
    return dict(torch.load(run.checkpoints / "last.ckpt", weights_only=True)["state_dict"])


@pytest.mark.usefixtures("bad_step")
@pytest.mark.parametrize("log_every", [1, 3])
def test_the_run_stops_and_names_step_batch_and_norm(log_every: int) -> None:
    expected = (
        r"training: the loss is inf and the norm of its gradient nan at step 5 \(epoch 1, batch [0-9a-f]{12}\); "
        r"the last norm before was 0\.\d+"
    )
    with pytest.raises(DivergedError, match=expected) as raised:
        train(load_train_config([*TINY, f"trainer.log_every={log_every}"]))
    (path,) = project.runs().iterdir()
    assert Run(path).status() == "FAILED"
    assert not Run(path).checkpoints.exists()
    with pytest.raises(DivergedError) as again:
        train(load_train_config(TINY))
    named = [re.findall("batch ([0-9a-f]+)", str(error.value)) for error in (raised, again)]
    assert named[0] == named[1]


@pytest.mark.usefixtures("bad_step")
def test_a_step_that_is_left_out_changes_no_weight_and_is_counted() -> None:
    # with nothing but that one step, in plain gradient descent
    options = ["trainer.nonfinite=skip", "optimizer=sgd", "optimizer.momentum=0", "schedule=constant"]
    run = train(load_train_config([*TINY, *options]))
    assert run is not None
    assert run.status() == "FINISHED"
    skipped = values(run, "train/skipped_steps")
    assert set(skipped.values()) == {1.0}
    assert min(skipped) == BAD_STEP + 1
    assert all(bool(torch.isfinite(value).all()) for value in weights(run).values())
    assert torch.isfinite(torch.tensor(list(values(run, "val/loss").values()))).all()


def test_an_image_that_is_no_number_does_not_get_into_batch_normalisation(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Classifier.training_step

    def training_step(self: Classifier, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        images = batch.images * (torch.nan if self.trainer.global_step == BAD_STEP else 1)
        return usual(self, batch._replace(images=images), batch_idx)

    monkeypatch.setattr(Classifier, "training_step", training_step)
    options = ["model=cnn", "model.width=4", "trainer.nonfinite=skip", "trainer.ema_decay=0.9"]
    run = train(load_train_config([option for option in TINY if not option.startswith("model")] + options))
    assert run is not None
    assert run.status() == "FINISHED"
    assert set(values(run, "train/skipped_steps").values()) == {1.0}


def test_a_healthy_run_records_the_norm_of_the_gradient() -> None:
    run = train(load_train_config(TINY))
    assert run is not None
    norms = values(run, "train/grad_norm")
    assert norms.keys() == values(run, "train/loss").keys()
    assert all(0 < norm < 100 for norm in norms.values())
    assert not values(run, "train/skipped_steps")
