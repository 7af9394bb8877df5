"""Assert that the one CIFAR-10 run below a folder is in its MLflow store, whole: `python .ci/check_run.py FOLDER`."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

TRAINING_IMAGES, TEST_IMAGES, CLASSES = 50_000, 10_000, 10
WELL_ABOVE_CHANCE = 0.4
ARTIFACTS = {
    "config.yaml",
    "report.json",
    "figures/confusion_matrix.png",
    "figures/confusion_matrix.csv",
    "tables/confusion_matrix.json",
    "tables/per_class.json",
}
TAGS = {"command", "data.fingerprint", "git.commit", "git.dirty", "hardware", "host", "lock", "python", "torch"}


def main(folder: Path) -> None:
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("cifar10")
    assert experiment is not None, "no experiment named cifar10"
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED", run.info.status
    accuracy = run.data.metrics["test/accuracy"]
    assert accuracy > WELL_ABOVE_CHANCE, f"test accuracy {accuracy}"
    check_description(run.data.params, run.data.tags)
    check_metrics(client, run, folder / "runs" / run.info.run_name / "metrics.jsonl")
    check_artifacts(Path(client.download_artifacts(run.info.run_id, "")), accuracy)
    print(f"{run.info.run_name}: in MLflow, whole, {accuracy:.1%} test accuracy")


def check_description(params: dict[str, str], tags: dict[str, str]) -> None:
    """What was trained, and from what."""
    assert params["data.name"] == "cifar10", params
    assert "auto" not in (params["trainer.precision"], params["trainer.accelerator"]), "not resolved"
    assert set(tags) >= TAGS, TAGS - set(tags)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert tags["git.commit"] == head, tags["git.commit"]


def check_metrics(client: MlflowClient, run: Any, journal: Path) -> None:
    """Every point of the journal is there once, and the steps are those of the training."""
    params = run.data.params
    images = TRAINING_IMAGES * float(params["data.fraction"]) * (1 - float(params["data.val_fraction"]))
    epoch = round(images / int(params["data.batch_size"]))
    epochs = [epoch * (i + 1) for i in range(int(params["trainer.max_epochs"]))]
    written: dict[str, list[tuple[int, float]]] = {}
    for line in journal.read_text().splitlines():
        record = json.loads(line)
        for name, value in record.get("values", {}).items():
            written.setdefault(name, []).append((record["step"], value))
    for name, points in written.items():
        stored = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
        assert sorted(stored) == sorted(points), name
    steps = {name: [step for step, _ in points] for name, points in written.items()}
    assert steps["val/accuracy"] == epochs, steps["val/accuracy"]
    assert steps["train/loss"] == sorted(set(steps["train/loss"])), steps["train/loss"]
    assert set(steps["train/loss"]) >= set(epochs), steps["train/loss"]
    assert steps["test/accuracy"] == epochs[-1:], steps["test/accuracy"]


def check_artifacts(folder: Path, accuracy: float) -> None:
    """The files are there, and picture, table and number speak of the same predictions."""
    found = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert found >= ARTIFACTS, ARTIFACTS - found
    picture = (folder / "figures/confusion_matrix.png").read_bytes()
    assert picture.startswith(b"\x89PNG"), "no PNG"
    assert len(picture) > 10_000, "an empty picture"
    with (folder / "figures/confusion_matrix.csv").open(encoding="utf-8") as file:
        counts = [[int(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]]
    assert [sum(row) for row in counts] == [TEST_IMAGES // CLASSES] * CLASSES, counts
    assert sum(counts[i][i] for i in range(CLASSES)) == round(accuracy * TEST_IMAGES), counts
    table = json.loads((folder / "tables/confusion_matrix.json").read_text())
    assert [row[1:] for row in table["data"]] == counts, table


if __name__ == "__main__":
    main(Path(sys.argv[1]))
