"""What a training run writes into its folder, from before the first step to its last word."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.figures.confusion import save_confusion
from visionlab.tracking import journal
from visionlab.tracking.logger import JournalLogger
from visionlab.tracking.provenance import provenance
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import Shipper
from visionlab.training import console, hardware
from visionlab.training.callbacks import TrainingCurve
from visionlab.training.classifier import Classifier


class Recording:
    """The run folder of the run under way; as a context it writes the run's last status, whatever happens.

    Of the processes of a distributed run only the first has a folder; in the others `run`, `logger` and `shipper` are
    None.
    """

    def __init__(self, config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier) -> None:
        self.curve = TrainingCurve(config.trainer.log_every)
        self.run: Run | None = None
        self.logger: JournalLogger | None = None
        self.shipper: Shipper | None = None
        if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
            return
        self.run = Run.create(project.runs(), config)
        self._journal = self.run.journal()
        self.logger = JournalLogger(self.run.id, self._journal)
        if config.tracking.name != "off":
            self.shipper = Shipper(self.run)
        parameters = sum(weight.numel() for weight in module.network.parameters())
        self._journal.append(
            "start",
            run=self.run.id,
            params=flatten(config.model_dump(mode="json")) | {"model.parameters": parameters},
            tags=provenance(project.root(), hardware.describe(config.trainer))
            | {"data.fingerprint": datamodule.fingerprint}
            | {f"data.{name}": str(count) for name, count in datamodule.notes.items()},
        )
        console.introduce(self.run, config, datamodule, parameters)

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.run is None:
            return
        if error is None:
            self._journal.append("status", status="FINISHED")
        elif isinstance(error, KeyboardInterrupt | SystemExit):
            # Lightning answers Ctrl-C with sys.exit
            self._journal.append("status", status="KILLED")
        else:
            self._journal.append("status", status="FAILED", error=f"{type(error).__name__}: {error}")
        self._journal.close()
        everything_sent = self.shipper.finish() if self.shipper is not None else None
        if error is None:
            console.conclude(self.run)
        console.say_where(self.run, everything_sent)
        if isinstance(error, SystemExit):
            raise KeyboardInterrupt from None

    def conclude(self) -> None:
        """Complete the report of the tested run, draw its figures, and queue both for MLflow."""
        if self.run is None:
            return
        steps, best = _course(self.run)
        timing = {"training_seconds": self.curve.seconds} if self.curve.seconds else {}
        self.run.add_to_report(**timing, **({"validation": best} if best else {}))
        report = self.run.report()
        names = report["classes"]
        tested = {f"test/{name}": value for name, value in report["test"].items()}
        for rate, values in report["per_class"].items():
            tested |= {f"test_{rate}/{name}": value for name, value in zip(names, values, strict=True)}
        self._journal.metrics(steps, {key: value for key, value in (tested | timing).items() if value is not None})
        for file in save_confusion(report["confusion"], report["classes"], self.run.figures):
            self._journal.append("artifact", file=str(file.relative_to(self.run.path)))
        matrix = {"true class": names} | {
            f"predicted {name}": [row[i] for row in report["confusion"]] for i, name in enumerate(names)
        }
        for table, columns in (("confusion_matrix", matrix), ("per_class", {"class": names} | report["per_class"])):
            self._journal.append("table", file=self.run.add_table(table, columns))
        self._journal.append("artifact", file="report.json")


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted paths."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _course(run: Run) -> tuple[int, dict[str, float]]:
    """The last step in the journal, and the validation results of the epoch that was best by accuracy."""
    records = [record for record in journal.read(run.journal_file)[0] if record["kind"] == "metrics"]
    validations = [record["values"] for record in records if "val/accuracy" in record["values"]]
    best: dict[str, float] = max(validations, key=lambda values: values["val/accuracy"], default={})
    return (
        records[-1]["step"] if records else 0,
        {name.removeprefix("val/"): value for name, value in best.items() if name.startswith("val/")},
    )
