"""Which checkpoints a run keeps: the best by validation, the newest state, and the one before.

`best.ckpt` is what is tested, `last.ckpt` what a run goes on from. `previous.ckpt` is the last one before that, for the
case that the newest file is damaged.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint, WeightAveraging

from visionlab.config.trainer import TrainerConfig
from visionlab.errors import UserError
from visionlab.tracking.journal import Journal
from visionlab.training import checkpoint_file
from visionlab.training.callbacks import TrainingCurve
from visionlab.training.checkpoint_file import DamagedCheckpointError
from visionlab.training.interruption import Interruption

MONITOR = "val/accuracy"
BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"
# the newest state is saved seldom enough to cost at most a fiftieth of the time
SECONDS_BETWEEN = 10.0
GREATEST_SHARE = 0.02
ASK_SECONDS = 1.0  # at most from one question of several processes whether to stop to the next, or a step


class StartingPoint(NamedTuple):
    """A checkpoint to go on from.

    Attributes:
        step: optimizer steps that were done.
        epochs: that were completed.
        stopped: the patience of early stopping that ended training here, or None.
        seconds: of training up to here.
    """

    file: Path
    step: int
    epochs: int
    stopped: int | None
    seconds: float

    def is_complete(self, config: TrainerConfig) -> bool:
        """Whether training had come to its end, and `config` does not ask for more."""
        return self.epochs >= config.max_epochs or (self.stopped is not None and self.stopped == config.early_stopping)


class Checkpoints(Checkpoint):
    """Saves the state of training.

    The best epoch's weights are saved when it ends; the newest state every SECONDS_BETWEEN, when an epoch or its
    training ends; the last one always, and that of a run that is told to stop.

    Args:
        folder: of the checkpoints; None in processes without a run folder, which are told it by the first one.
        journal: brought to the disk before a checkpoint is, so that no checkpoint is ahead of it.
        interruption: entered by the caller; asked after each step, by several processes every `log_every` steps,
            or sooner where these take longer than ASK_SECONDS.
    """

    def __init__(
        self, folder: Path | None, journal: Journal | None, interruption: Interruption, config: TrainerConfig
    ) -> None:
        self._folder, self._journal = folder, journal
        self._interruption, self._config = interruption, config
        self.best: float | None = None
        self._epochs, self._stopped = 0, False
        self._loader_state: dict[str, int] | None = None
        self._validated = self._validation_pending = False
        self._asked: tuple[int, float] | None = None
        self._ask_at = 0
        self._saved, self._cost = time.perf_counter(), 0.0

    @property
    def folder(self) -> Path:
        assert self._folder is not None
        return self._folder

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._folder = trainer.strategy.broadcast(self._folder)
        if trainer.is_global_zero:
            # what a process that was killed while it wrote has left behind
            for part in self.folder.glob(".*.part"):
                part.unlink()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning has a handler of its own, which lets the epoch end first
        self._interruption.take_over()
        self._interruption.deferred = True
        if self._loader_state is not None:
            # Lightning forgets it where the loader was made before the checkpoint was read, as `configure_optimizers`
            # has it done by asking for the number of steps
            trainer.train_dataloader.load_state_dict(self._loader_state)  # type: ignore[union-attr]

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._interruption.deferred = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # after the last step of an epoch follows its validation, and then `on_train_epoch_end`
        if (
            batch_idx + 1 < trainer.num_training_batches
            and self._asks(trainer)
            and self._interruption.requested(trainer)
        ):
            self.save(trainer)
            self._interruption.stop()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validated = True
        if self._interruption.requested(trainer):
            self._save_before_validation(trainer)
            self._interruption.stop()
        if self._due(trainer):
            self._save_before_validation(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        if self._interruption.requested(trainer):
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                if isinstance(callback, WeightAveraging):
                    callback.on_validation_epoch_end(trainer, pl_module)  # puts the weights in training back
            self._save_before_validation(trainer)
            self._interruption.stop()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        validated, self._validated = self._validated, False
        self._epochs, self._stopped = trainer.current_epoch + 1, trainer.should_stop
        score = float(trainer.callback_metrics[MONITOR]) if validated else None
        improved = score is not None and (self.best is None or score > self.best)
        if improved:
            self.best = score
        ends = trainer.should_stop or self._epochs == trainer.max_epochs
        interrupted = self._interruption.requested(trainer)
        if improved or ends or interrupted or self._due(trainer):
            self.save(trainer, best=improved)
        if interrupted:
            self._interruption.stop()

    def save(self, trainer: pl.Trainer, best: bool = False) -> None:
        """Make the present state the newest one; all processes together.

        Args:
            best: it is also the best so far. A process that is killed in between comes here again, so first that.

        Raises:
            UserError: it cannot be written; the checkpoints before it are as they were.
        """
        started = time.perf_counter()
        last = self.folder / LAST
        new = last.with_name("new.ckpt")
        try:
            if self._journal is not None:
                self._journal.sync()
            trainer.save_checkpoint(new)
            if trainer.is_global_zero:
                with self._interruption.shielded():
                    if best:
                        _link(new, self.folder / BEST)
                    if last.exists():
                        _link(last, self.folder / PREVIOUS)
                    new.replace(last)
        except OSError as error:
            raise UserError(
                f"{self.folder}: cannot write a checkpoint ({error.strerror}); the one before is intact. "
                f"Make room, then `visionlab resume {self.folder.parent.name}`"
            ) from error
        self._saved = time.perf_counter()
        self._cost = self._saved - started

    def state_dict(self) -> dict[str, Any]:
        stopped = self._config.early_stopping if self._stopped else None
        return {"best": self.best, "epochs": self._epochs, "stopped": stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._epochs = state_dict["epochs"]
        # without its weights an old best score would keep new weights from being saved
        self.best = state_dict["best"] if is_whole(self.folder / BEST) else None

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["loader"] = trainer.train_dataloader.state_dict()  # type: ignore[union-attr]
        if self._validation_pending:
            # what Lightning leaves behind when it is stopped in its first batch: it will then validate from the start
            progress = checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"]
            for counts in (progress["total"], progress["current"]):
                counts |= {"ready": 1, "started": 1, "processed": 0, "completed": 0}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._loader_state = checkpoint["loader"]

    def _save_before_validation(self, trainer: pl.Trainer) -> None:
        """Save a state from which a resumed run validates first."""
        self._validation_pending = True
        self.save(trainer)
        self._validation_pending = False

    def _asks(self, trainer: pl.Trainer) -> bool:
        """Whether to ask after this step; the same in all processes, as the first one says when to ask next."""
        step, now = trainer.global_step, time.perf_counter()
        if trainer.world_size == 1:
            return True
        if step < self._ask_at:
            return False
        wait = 1
        if self._asked is not None and step > self._asked[0]:
            per_step = (now - self._asked[1]) / (step - self._asked[0])
            wait = min(max(int(ASK_SECONDS / max(per_step, 1e-9)), 1), self._config.log_every)
        told = torch.tensor(wait, device=trainer.strategy.root_device)
        torch.distributed.broadcast(told, 0)
        self._asked, self._ask_at = (step, now), step + int(told)
        return True

    def _due(self, trainer: pl.Trainer) -> bool:
        due = time.perf_counter() - self._saved > max(SECONDS_BETWEEN, self._cost / GREATEST_SHARE)
        return bool(trainer.strategy.broadcast(due))


def newest(folder: Path) -> tuple[StartingPoint | None, list[str]]:
    """The newest whole checkpoint, or None where there is none, and what is wrong with newer ones."""
    damages = []
    for file in (folder / LAST, folder / PREVIOUS):
        try:
            content = checkpoint_file.read(file)
        except DamagedCheckpointError as error:
            damages.append(str(error))
        except FileNotFoundError:
            continue
        else:
            state = content["callbacks"][Checkpoints.__qualname__]
            seconds = content["callbacks"][TrainingCurve.__qualname__]["seconds"]
            return StartingPoint(file, content["global_step"], state["epochs"], state["stopped"], seconds), damages
    return None, damages


def chosen(folder: Path) -> Path:
    """The checkpoint to test: the best by validation, or the last where there was no validation."""
    best = folder / BEST
    return best if best.exists() else folder / LAST


def is_whole(file: Path) -> bool:
    """Whether a checkpoint is there and as it was written."""
    try:
        checkpoint_file.read(file)
    except (DamagedCheckpointError, FileNotFoundError):
        return False
    return True


def _link(source: Path, target: Path) -> None:
    """Give the content of `source` the name `target` too, at once, without a second copy where the disk allows it."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        part.hardlink_to(source)
    except OSError:
        part.write_bytes(source.read_bytes())
    part.replace(target)
