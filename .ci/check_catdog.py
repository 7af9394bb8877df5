"""Assert that the one run on cats and dogs below a folder is in its MLflow store: `check_catdog.py FOLDER`."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from mlflow import MlflowClient

TEST_IMAGES = 1200
WANTED = 0.97
NAMES = ("precision", "recall", "sensitivity", "specificity", "true_positive_rate", "false_positive_rate")


def main(folder: Path) -> None:
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("catdog")
    assert experiment is not None, "no experiment named catdog"
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED", run.info.status
    metrics, tags = run.data.metrics, run.data.tags
    assert metrics["test/accuracy"] > WANTED, metrics["test/accuracy"]
    missing = [name for name in NAMES if f"test_{name}/dog" not in metrics]
    assert not missing, missing
    assert tags["data.manifest"], tags
    matrix = Path(client.download_artifacts(run.info.run_id, "figures/confusion_matrix.csv"))
    rows = list(csv.reader(matrix.read_text().splitlines()))[1:]
    (dogs,) = [[int(cell) for cell in row[1:3]] for row in rows if row[0] == "dog"]
    (cats,) = [[int(cell) for cell in row[1:3]] for row in rows if row[0] == "cat"]
    assert sum(dogs) + sum(cats) == TEST_IMAGES, rows
    assert abs(metrics["test_true_positive_rate/dog"] - dogs[1] / sum(dogs)) < 1e-9
    assert abs(metrics["test_false_positive_rate/dog"] - cats[1] / sum(cats)) < 1e-9
    print(f"{run.info.run_name}: in MLflow, {metrics['test/accuracy']:.1%} of {TEST_IMAGES:,} photos right")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
