"""The folder of a campaign, `runs/<campaign>/`: like that of a run, with a journal, but nothing was trained here."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visionlab import project
from visionlab.campaigns.findings import findings
from visionlab.campaigns.plan import Plan
from visionlab.campaigns.results import Child, Results
from visionlab.campaigns.statistics import estimate
from visionlab.config.lab import LabConfig
from visionlab.config.resolved import dump_config, flatten
from visionlab.config.train import TrainConfig
from visionlab.errors import UserError
from visionlab.tracking import provenance
from visionlab.tracking.catalog import is_campaign
from visionlab.tracking.journal import Journal
from visionlab.tracking.member import Member
from visionlab.tracking.run import Run, write_atomically
from visionlab.tracking.shipper import Shipper

BEST = "best.yaml"
TABLE = "children"
PROGRESS = "campaign/"  # how the names of the campaign's own metrics begin


class CampaignRecord:
    """What a campaign writes of itself, and the folders that it prepares for its runs.

    Attributes:
        run: its folder.

    Raises:
        UserError: another process is at it, or the folder cannot be written to.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan, self._config = plan, plan.base.config()
        self.run = Run(project.runs() / plan.name)
        if self.run.journal_file.exists() and not is_campaign(self.run.start()):
            raise UserError(f"campaign.name: expected a name that no run has, given {plan.name}")
        self.run.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = self.run.lock()
        except UserError:
            raise UserError(
                f"{plan.name}: this campaign is under way in another process; several machines can share one by "
                "study.storage=postgresql://… and a VISIONLAB_HOME each"
            ) from None
        self._journal: Journal | None = None
        self._shipper: Shipper | None = None
        self._tags = provenance.provenance(project.root(), provenance.cpu_name())
        self._settled = 0

    @property
    def config(self) -> TrainConfig:
        """That all runs have in common."""
        return self._config

    def begin(self) -> None:
        """Write the first records, or that the campaign goes on."""
        is_new = not self.run.journal_file.exists()
        self.run.save_config(self._config)
        self._journal = self.run.journal()
        if is_new:
            self._describe(self._journal)
        else:
            self._journal.append("resume", step=self._settled, tags={})
        if self._config.tracking.name != "off":
            self._shipper = Shipper(self.run)

    def prepare(self, child: Child) -> Run:
        """Make the folder of a run that is about to start."""
        assert self._journal is not None
        name = f"{self._plan.name}-{child.number:03}"
        config = self._plan.base.config(child.settings).model_copy(update={"name": name})
        run = Run.create(project.runs(), config)
        member = Member(
            campaign=self.run.id,
            title=self._plan.title(child),
            tags=self._tags,
            latency=any(objective.metric == "latency_ms" for objective in self._plan.objectives),
            threads=self._plan.threads,
        )
        member.save(run)
        self._journal.append("member", run=run.id)
        if self._shipper is not None:
            self._shipper.start()
        return run

    def update(self, results: Results) -> None:
        """Write how far the campaign has come, for `visionlab runs --campaigns` and MLflow's charts."""
        assert self._journal is not None
        self.run.add_to_report(**summary(results))
        settled = len(results.finished()) + results.tally()["pruned"]
        if settled > self._settled:
            self._settled = settled
            values = {f"{PROGRESS}finished": float(len(results.finished())), f"{PROGRESS}settled": float(settled)}
            if results.best is not None:
                values |= {
                    f"{PROGRESS}best {objective.metric}": value
                    for objective, value in zip(results.objectives, results.best.values, strict=True)
                }
            self._journal.metrics(settled, values)

    def conclude(self, results: Results, state: str, notes: Sequence[str]) -> None:
        """Write the table of runs, the best configuration, the pictures and the page, and queue all for MLflow."""
        from visionlab.figures.campaign import gallery
        from visionlab.reports.campaign import write_campaign_page

        assert self._journal is not None
        self._journal.append("table", file=self.run.add_table(TABLE, _columns(results)))
        files = []
        if results.best is not None and results.kind in ("tune", "grid"):
            write_atomically(self.run.path / BEST, dump_config(self._plan.base.config(results.best.settings)))
            files.append(self.run.path / BEST)
        shutil.rmtree(self.run.figures, ignore_errors=True)
        if results.kind == "crossval":
            from visionlab.campaigns.folds import join_folds

            runs = [Run(project.runs() / child.run) for child in results.finished()]
            here = [run for run in runs if run.path.exists()]  # others were trained on other machines
            files += join_folds(self.run, here, results.total)
        start = self.run.start()
        said: dict[str, Any] = {"state": state, "base": self._config, "command": start["tags"]["command"]}
        said |= {"origin": start, "notes": notes}
        if self._plan.lab is not None:
            self._conclude_lab(self._plan.lab, results, said)
            return
        try:
            files += gallery.draw(results, self.run.figures)
        finally:  # a picture that cannot be drawn takes no page along
            self._queue([*files, write_campaign_page(self.run.path, results, **said)])

    def _conclude_lab(self, config: LabConfig, results: Results, said: dict[str, Any]) -> None:
        """Judge what the runs of a lab show, and tell it; `said` is for the page."""
        from visionlab.labs import conclusion
        from visionlab.labs.lab import Lab
        from visionlab.reports.lab import write_lab_page

        assert self._journal is not None
        lab = Lab.of(config, self._plan.cells, results)
        found = conclusion.verdicts(lab)
        self.run.add_to_report(**conclusion.report(lab, found, findings(results)))
        self._journal.append("table", file=self.run.add_table(conclusion.TABLE, conclusion.columns(lab)))
        files: list[Path] = []
        try:
            files += conclusion.draw_all(lab, self.run.figures)
        finally:
            self._queue([*files, write_lab_page(self.run.path, lab, found, results, **said)])

    def _queue(self, files: Sequence[Path]) -> None:
        """Have files, and the report, sent to MLflow."""
        assert self._journal is not None
        for file in [*files, self.run.path / "report.json"]:
            self._journal.append("artifact", file=str(file.relative_to(self.run.path)))

    def end(self, status: str, tags: dict[str, str], hurried: bool) -> bool | None:
        """Write the last word; whether MLflow has everything, None without tracking."""
        if self._journal is not None:
            self._journal.end(status, tags)
        try:
            return self._shipper.finish(hurried) if self._shipper is not None else None
        finally:
            self._lock.release()

    def _describe(self, journal: Journal) -> None:
        plan = self._plan
        searched = {
            f"space.{path}": parameter.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            for path, parameter in plan.space.items()
        }
        settings = {
            "campaign.kind": plan.kind,
            "campaign.total": plan.total,
            "campaign.workers": plan.carrying_out.workers,
        }
        journal.append(
            "start",
            run=self.run.id,
            proposer=plan.kind,
            title=self.run.id,
            params=flatten(self._config.model_dump(mode="json")) | settings | searched,
            tags=self._tags | {"campaign.kind": plan.kind},
        )
        for file in provenance.write_code_state(project.root(), self.run.path / "code"):
            journal.append("artifact", file=str(file.relative_to(self.run.path)))


def summary(results: Results) -> dict[str, Any]:
    """A campaign in a few numbers, for `report.json`."""
    best = results.best
    content: dict[str, Any] = {
        "kind": results.kind,
        "total": results.total,
        "counts": results.tally(),
        "objectives": [objective.metric for objective in results.objectives],
        "best": None,
        "values": [child.values[0] for child in results.measured()],
        "text": findings(results),
    }
    if best is not None:
        content["best"] = {"number": best.number, "run": best.run, "settings": best.settings, "values": best.values}
        found = estimate(content["values"])
        content["estimate"] = found._asdict() if found is not None else None
    return content


def _columns(results: Results) -> dict[str, list[Any]]:
    children = results.children
    paths = list(dict.fromkeys(path for child in children for path in child.settings))
    columns: dict[str, list[Any]] = {
        "number": [child.number for child in children],
        "state": [child.state for child in children],
    }
    columns |= {path: [_cell(child.settings.get(path, "")) for child in children] for path in paths}
    for place, objective in enumerate(results.objectives):
        columns[objective.metric] = [child.values[place] if child.values else "" for child in children]
    columns["seconds"] = [round(child.seconds, 2) if child.seconds is not None else "" for child in children]
    columns["run"] = [child.run for child in children]
    columns["reason"] = [child.reason for child in children]
    return columns


def _cell(value: Any) -> Any:
    return str(value) if isinstance(value, list | tuple) or value is None else value
