"""`visionlab`, of which one process fails: python failing.py RANK MOMENT HOW ARGUMENT…

MOMENT: `data`, when the data are read, before the processes have met; or a number of steps. HOW: `raise` or `kill`.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import torch

from visionlab import cli, project
from visionlab.data.digits import Digits
from visionlab.training import launch
from visionlab.training.callbacks import SeedSteps

RANK, MOMENT, HOW = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def fail() -> None:
    if launch.current().rank != RANK:
        return
    (project.home() / "failed").touch()
    if HOW == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise torch.OutOfMemoryError("no room for another tensor")


class FailingStep(SeedSteps):
    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        if str(trainer.global_step) == MOMENT:
            fail()
        super().on_train_batch_start(trainer, *args)


class FailingDigits(Digits):
    def read(self) -> Any:
        if MOMENT == "data":
            fail()
        return super().read()


if __name__ == "__main__":
    import visionlab.data.digits
    from visionlab.training import fitting

    visionlab.data.digits.Digits = FailingDigits  # type: ignore[misc]
    fitting.SeedSteps = FailingStep  # type: ignore[misc]
    cli.main(sys.argv[4:])
