"""What a training run writes into its folder, from before the first step to its last word."""

from __future__ import annotations

import signal
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.errors import InterruptedRun, PrunedRun, RankError, UserError
from visionlab.figures import gallery
from visionlab.tracking import package
from visionlab.tracking.journal import Journal
from visionlab.tracking.logger import JournalLogger
from visionlab.tracking.member import Member
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import Shipper
from visionlab.tracking.system import SystemMetrics
from visionlab.training import checkpoints, console, requeue
from visionlab.training.callbacks import TrainingCurve
from visionlab.training.checkpoints import StartingPoint
from visionlab.training.classifier import Classifier
from visionlab.training.description import describe, parameter_count
from visionlab.training.divergence import Divergence
from visionlab.training.interruption import Interruption
from visionlab.training.results import course

# what other fields call the recall of the positive class
ALSO_RECALL = ("sensitivity", "true_positive_rate")
MEMBER_METRICS = ("training_seconds", "latency_ms")


class Recording:
    """The run folder of the run under way; as a context it writes the run's last status, whatever happens.

    Of the processes of a distributed run only the first writes; in the others `run`, `journal`, `logger` and `shipper`
    are None.

    Args:
        interruption: entered by the caller.
        run: the run to go on with, or that a campaign has prepared, or None for a new one.
        member: of a run of a campaign, which also sends it to MLflow.
        reproduces: the run that a new one is to come out like.

    Attributes:
        start: the checkpoint to go on from, None to begin at the beginning.

    Raises:
        UserError: the run to go on with is under way, or its data or checkpoints are not what they were.
    """

    def __init__(
        self,
        config: TrainConfig,
        datamodule: ImageDataModule[Any],
        module: Classifier,
        interruption: Interruption,
        run: Run | None = None,
        member: Member | None = None,
        reproduces: Run | None = None,
    ) -> None:
        self.member = member
        resumed = run if member is None else None
        self.divergence = Divergence(config.trainer.nonfinite, config.trainer.log_every)
        self.curve = TrainingCurve(config.trainer.log_every, self.divergence)
        self.start: StartingPoint | None = None
        self.run: Run | None = None
        self.journal: Journal | None = None
        self.logger: JournalLogger | None = None
        self.shipper: Shipper | None = None
        self._config, self._datamodule, self._interruption = config, datamodule, interruption
        self._module, self._reproduces = module, reproduces
        self._damages: list[str] = []
        if resumed is not None:
            resumed.check_data(datamodule.fingerprint)
            self.start, self._damages = checkpoints.newest(resumed.checkpoints)
            self.curve.seconds = self.start.seconds if self.start else 0.0
            if self.start is None and resumed.status() == "FINISHED":
                raise UserError(f"{resumed.id}: its checkpoints are gone, so it cannot go on; train a new run")
        if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
            return
        self._is_new = resumed is None
        self.run = run or Run.create(project.runs(), config)
        self._lock = self.run.lock()
        self.journal = self.run.journal()
        if self._is_new and member is None:
            requeue.remember(self.run)
        self._system = SystemMetrics(self.journal, config.tracking.system_every)

    @property
    def checkpoints(self) -> Path | None:
        """The folder of the checkpoints."""
        return self.run.checkpoints if self.run is not None else None

    @property
    def is_tested(self) -> bool:
        """Whether the run ends with a test."""
        return "test" in self._datamodule.sizes

    def __enter__(self) -> Recording:
        if self.run is not None:
            try:
                self._begin(self.run)
            except BaseException as error:
                self.end(error)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.run is not None:
            self.end(error)

    def conclude(self) -> None:
        """Complete the report of the trained run, draw the figures of a tested one, and queue all for MLflow."""
        if self.run is None or self.journal is None or self.logger is None:
            return
        steps, best = course(self.run)
        timing = {"training_seconds": self.curve.seconds} if self.curve.seconds else {}
        self.run.add_to_report(**timing, **({"validation": best} if best else {}))
        report = self.run.report()
        if not self.is_tested:
            self.logger.log_metrics({name: report[name] for name in MEMBER_METRICS if name in report}, steps)
            self.journal.append("artifact", file="report.json")
            return
        names = report["classes"]
        tested = {f"test/{name}": value for name, value in report["test"].items()}
        for rate, values in report["per_class"].items():
            tested |= {f"test_{rate}/{name}": value for name, value in zip(names, values, strict=True)}
        positive = self._datamodule.positive
        if positive is not None:
            recall = report["per_class"]["recall"][positive]
            tested |= {f"test_{name}/{names[positive]}": recall for name in ALSO_RECALL}
        found = {key: value for key, value in (tested | timing).items() if value is not None}
        self.logger.log_metrics(found, steps)
        for table in ("confusion_matrix", "per_class"):
            self.journal.append("table", file=f"tables/{table}.json")
        self.journal.append("artifact", file="report.json")
        self.journal.append("artifact", file="predictions.npz")
        tracking = self.run.config().tracking
        if tracking.figures:
            self._draw()
        if tracking.log_model and tracking.name != "off":
            self._package()

    def _begin(self, run: Run) -> None:
        assert self.journal is not None
        if self._is_new:
            describe(run, self.journal, self._config, self._datamodule, self._module, self.member, self._reproduces)
        else:
            changes = run.changes(self._config)
            tags = {f"resumed.{key}": f"{old} -> {new}" for key, (old, new) in changes.items()}
            self.journal.append("resume", step=self.start.step if self.start else 0, tags=tags)
            self._ranks_before = run.config().trainer.world_size
            run.save_config(self._config)
        self.logger = JournalLogger(run.id, self.journal)
        if self._config.tracking.name != "off" and self.member is None:
            self.shipper = Shipper(run)
        console.introduce(run, self._config, self._datamodule, parameter_count(self._module))
        for damage in self._damages:
            print(f"visionlab: warning: {damage}; going on from the checkpoint before it", file=sys.stderr)
        if not self._is_new:
            console.say_start(self.start)
            console.say_ranks(self._ranks_before, self._config.trainer.world_size)
        self._system.start(run.start()["time"] / 1000)

    def end(self, error: BaseException | None) -> None:
        """Write the last word: that the run has finished, or why it has not. Called once, by rank 0."""
        assert self.run is not None
        assert self.journal is not None
        with self._interruption.shielded():
            self._system.stop()
            try:
                self._say_status(error)
            except OSError as failure:
                print(f"visionlab: {self.run.path}: cannot be written to ({failure.strerror})", file=sys.stderr)
        interrupted = isinstance(error, InterruptedRun)
        in_a_hurry = interrupted or isinstance(error, RankError)  # somebody may be about to kill this process, too
        try:
            everything_sent = self.shipper.finish(in_a_hurry) if self.shipper is not None else None
        finally:
            self._lock.release()
        if error is None:
            console.conclude(self.run)
        console.say_where(self.run, everything_sent)
        if isinstance(error, InterruptedRun) and self.member is None:
            if error.signal == signal.SIGUSR1:
                console.say_requeued(self.run, requeue.requeue())
            else:
                console.say_how_to_resume(self.run)
        elif isinstance(error, RankError) and self.member is None:
            console.say_how_to_resume(self.run)

    def _draw(self) -> None:
        assert self.run is not None
        assert self.journal is not None
        try:
            for file in gallery.draw(self.run, self._datamodule):
                self.journal.append("artifact", file=str(file.relative_to(self.run.path)))
        except Exception as error:  # noqa: BLE001 - results that are there are worth more than their pictures
            said = f"{type(error).__name__}: {error}"
            print(f"visionlab: warning: not all pictures could be drawn ({said})", file=sys.stderr)

    def _package(self) -> None:
        assert self.run is not None
        assert self.journal is not None
        from visionlab.prediction.packaging import write_package  # which needs what this is part of

        try:
            folder = write_package(self.run).path.relative_to(self.run.path)
            self.journal.append("model", name=self._config.name, folder=str(folder), tags=package.origin(self.run))
        except Exception as error:  # noqa: BLE001 - as for the pictures
            said = f"{type(error).__name__}: {error}"
            print(f"visionlab: warning: no model could be made of the run ({said})", file=sys.stderr)

    def _say_status(self, error: BaseException | None) -> None:
        assert self.run is not None
        assert self.journal is not None
        if error is None:
            self.journal.end("FINISHED", {})
        elif isinstance(error, PrunedRun):
            self.journal.end("FINISHED", {"pruned": f"after {self.curve.images:,} images"})
        elif isinstance(error, InterruptedRun):
            self.journal.end("KILLED", {"signal": error.signal.name})
        else:
            if isinstance(error, RankError):
                tags, details = error.tags, error.details or f"{error}\n"
            else:
                tags = {"error.class": type(error).__name__, "error.message": str(error)[:1000]}
                details = "".join(traceback.format_exception(error))
            (self.run.path / "traceback.txt").write_text(details, encoding="utf-8")
            self.journal.append("artifact", file="traceback.txt")
            self.journal.end("FAILED", tags)
