"""Assert that a campaign and its runs are in MLflow, nested: `python .ci/check_campaign.py FOLDER CAMPAIGN RUNS`."""

from __future__ import annotations

import sys
from pathlib import Path

from mlflow import MlflowClient

ARTIFACTS = {"best.yaml", "report.html", "report.json", "tables/children.json", "figures/history.png"}


def main(folder: Path, campaign: str, runs: int) -> None:
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (parent,) = client.search_runs(experiments, f"tags.`visionlab.run` = '{campaign}'")
    assert parent.info.status == "FINISHED", parent.info.status
    there = Path(client.download_artifacts(parent.info.run_id, ""))
    missing = {file for file in ARTIFACTS if not (there / file).exists()}
    assert not missing, missing
    children = client.search_runs(experiments, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert len(children) == runs, len(children)
    assert {child.info.status for child in children} == {"FINISHED"}
    assert not any(name.startswith("test/") for child in children for name in child.data.metrics), "tested"
    (best,) = [run for run in client.search_runs(experiments) if run.data.params.get("name") == f"best-{campaign}"]
    assert best.data.metrics["test/accuracy"] > 0, best.data.metrics
    print(f"{campaign}: {runs} runs in MLflow, its best trained on everything and tested")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
