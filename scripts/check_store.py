"""Check that MLflow has all of the last run on a data set: `python scripts/check_store.py cifar10 0.4`.

The second argument is the least test accuracy that the run should have reached. Exits with 1 and a line for each thing that
is missing.
"""

from __future__ import annotations

import sys

from visionlab import project
from visionlab.config.trainer import TrackingConfig
from visionlab.tracking import journal
from visionlab.tracking.catalog import find_run
from visionlab.tracking.mlflow import RUN_TAG, connect

ARTIFACTS = {
    "config.yaml",
    "report.json",
    "figures/confusion_matrix.png",
    "figures/confusion_matrix.csv",
    "tables/confusion_matrix.json",
    "tables/per_class.json",
}
TAGS = {"command", "hardware", "lock", "git.commit", "data.fingerprint"}


def missing(data: str, least_accuracy: float) -> list[str]:
    """What MLflow lacks of the last run, a line each."""
    run = find_run(project.runs(), "last")
    client = connect(TrackingConfig())
    experiment = client.get_experiment_by_name(data)
    if experiment is None:
        return [f"no experiment {data}"]
    found = client.search_runs([experiment.experiment_id], f"tags.`{RUN_TAG}` = '{run.id}'")
    if len(found) != 1:
        return [f"expected one run {run.id}, found {len(found)}"]
    stored, lines = found[0], []
    if stored.info.status != "FINISHED":
        lines.append(f"status {stored.info.status}")
    lines += [f"no tag {tag}" for tag in sorted(TAGS - set(stored.data.tags))]
    params = run.start()["params"]
    lines += [f"no parameter {name}" for name in sorted(set(params) - set(stored.data.params))]
    run_id = stored.info.run_id
    top = client.list_artifacts(run_id)
    files = {item.path for folder in top if folder.is_dir for item in client.list_artifacts(run_id, folder.path)}
    lines += [f"no artifact {name}" for name in sorted(ARTIFACTS - files - {item.path for item in top})]

    points: dict[str, set[tuple[int, float]]] = {}
    for record in journal.read(run.journal_file)[0]:
        for name, value in record.get("values", {}).items() if record["kind"] == "metrics" else ():
            points.setdefault(name, set()).add((record["step"], value))
    for name, expected in points.items():
        history = [(point.step, point.value) for point in client.get_metric_history(run_id, name)]
        if len(history) != len(expected) or set(history) != expected:
            lines.append(f"metric {name}: expected {len(expected)} points, found {len(history)}")
    accuracy = stored.data.metrics.get("test/accuracy", 0.0)
    if accuracy < least_accuracy:
        lines.append(f"test accuracy {accuracy:.3f}, expected at least {least_accuracy}")
    return lines


def main() -> None:
    lines = missing(sys.argv[1], float(sys.argv[2]))
    print("\n".join(lines) if lines else f"MLflow has all of the last run on {sys.argv[1]}")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
