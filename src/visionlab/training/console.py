"""What a run says of itself on the console, besides the progress of its training."""

from __future__ import annotations

from typing import Any

from visionlab import project
from visionlab.comparison.measures import is_percentage
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.tracking.run import Run
from visionlab.training import hardware, parts, requeue
from visionlab.training.checkpoints import StartingPoint

RECALL_OF_TWO = "recall (sensitivity)"


def introduce(run: Run, config: TrainConfig, datamodule: ImageDataModule[Any], parameters: int) -> None:
    """What is about to be trained, on what."""
    sizes = ", ".join(f"{count:,} {name}" for name, count in datamodule.sizes.items())
    shape = "x".join(str(side) for side in datamodule.image_shape)
    _line("run", run.id)
    _line("data", f"{config.data.name}: {sizes} images of {shape}, {len(datamodule.classes)} classes")
    for note, count in datamodule.notes.items():
        _line("", f"{count:,} {note}")
    if datamodule.positive is not None:
        _line("", f"rates are those of the positive class, {datamodule.classes[datamodule.positive]}")
    if config.data.name == "folder":
        _line("", "classes " + ", ".join(datamodule.classes))
        _line("", f"mean {_numbers(datamodule.mean.tolist())}, std {_numbers(datamodule.std.tolist())}")
    _line("model", f"{config.model.name}, {parameters:,} parameters")
    layout = ", channels last" if config.trainer.channels_last else ""
    _line("on", f"{hardware.describe(config.trainer)}, {config.trainer.precision}{layout}")
    size, sharers = datamodule.train_batch_size, parts.sharers(config)
    if sharers is not None:
        _line("step", f"{size} images, shared by {sharers}")
    written, used = config.optimizer, config.optimizer.at(config.data.batch_size)
    if used != written:
        rule = f"{written.lr_rule} rule, {written.lr:g} at {written.reference_batch} images"
        _line("rate", f"{used.lr:.4g} at {config.data.batch_size} images ({rule})")


def results(report: dict[str, Any]) -> None:
    """The test results of a report, the validation results beside them where there are any.

    Args:
        report: with `test` and `classes`, and perhaps `validation`, as a run has it.
    """
    validation = report.get("validation", {})
    print()
    print(f"{'':<20} {'test':>8}" + (f" {'validation':>11}" if validation else ""))
    for name, value in report["test"].items():
        words = RECALL_OF_TWO if name == "recall" and len(report["classes"]) == 2 else name.replace("_", " ")
        line = f"{words:<20} {_value(name, value)}"
        print(line + (f" {_value(name, validation[name]):>11}" if name in validation else ""))


def conclude(run: Run) -> None:
    """The results of a finished run, if it was tested."""
    report = run.report()
    if "test" not in report:
        return
    results(report)
    seconds = report.get("training_seconds")
    if seconds:
        print(f"{'training took':<20} {seconds:8.1f} s")


def say_start(start: StartingPoint | None) -> None:
    """From where a resumed run goes on."""
    where = (
        f"after step {start.step:,} ({start.epochs} epochs)" if start else "from the beginning, without a checkpoint"
    )
    _line("goes on", where)


def say_ranks(before: int, now: int) -> None:
    """What differs in a run that goes on with another number of processes than it had."""
    if before != now:
        _line(
            "ranks",
            f"{before} before, {now} now: the same images in each step; sums are rounded and dropout and augmentation "
            "are drawn otherwise",
        )


def say_requeued(run: Run, problem: str | None) -> None:
    """That the job of a run is in the queue again, or why it is not."""
    if problem is None:
        _line("requeued", f"job {requeue.job()} goes on with this run")
    else:
        _line("stopped", f"the job could not be requeued ({problem}); `visionlab resume {run.id}` goes on")


def say_how_to_resume(run: Run) -> None:
    """What a run that was told to stop can do next."""
    _line("stopped", f"`visionlab resume {run.id}` goes on")


def say_where(run: Run, everything_sent: bool | None) -> None:
    """Where the run is to be found; `everything_sent`: whether MLflow has all of it, None without tracking."""
    print()
    _line("folder", str(run.path))
    if everything_sent:
        where = run.config().tracking.uri or f"{project.home() / 'mlruns'}; `make ui` shows it"
        _line("MLflow", where)
    elif everything_sent is False:
        _line(
            "MLflow", f"not all of it has arrived (see {run.path / 'shipper.log'}); `visionlab sync {run.id}` sends it"
        )


def _value(name: str, value: float | None) -> str:
    if value is None:
        return f"{'undefined':>8}"
    return f"{value:8.2%}" if is_percentage(name) else f"{value:8.4f}"


def _numbers(values: list[float]) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in values) + ")"


def _line(label: str, text: str) -> None:
    print(f"{label:<9} {text}", flush=True)
