"""The run that is to be reproduced, as it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from visionlab.config.resolved import flatten
from visionlab.config.train import TrainConfig
from visionlab.errors import ConfigError, UserError
from visionlab.reproduction.facts import SHORT
from visionlab.tracking import journal
from visionlab.tracking.catalog import campaign_of, find, is_campaign, withholds_test
from visionlab.tracking.journal import Record
from visionlab.tracking.run import Run

LONGEST_NAME = 100  # of a run, as its configuration has it
# settings that become what `auto` comes to on a machine
RESOLVED = ("accelerator", "devices", "num_nodes", "precision", "channels_last")
_RESUMED = "resumed."


@dataclass(frozen=True)
class Original:
    """A finished run.

    Attributes:
        start: its journal's first record.
        config: as it was at its end, with `auto` as what it came to.
        edited: settings of `config` that are not what the run was trained with, by path: then, and in the file now.
        resumed: by path, from what to what settings were changed when it went on.
        lacking: settings that have come since it was trained, by path, with their defaults, which `config` has.
    """

    run: Run
    start: Record
    config: TrainConfig
    edited: Mapping[str, tuple[Any, Any]]
    resumed: Mapping[str, str]
    lacking: Mapping[str, Any]

    @property
    def is_tested(self) -> bool:
        """Whether it was tested, so that its reproduction may be: runs of campaigns never are."""
        return not withholds_test(self.start)

    @property
    def begins_with_given_weights(self) -> bool:
        """Whether its first weights were given, by an earlier run or a file, and not all drawn by its seed."""
        model = self.config.model
        return model.init_from is not None or getattr(model, "weights", "none") != "none"


def find_original(folder: Path, name: str) -> Original:
    """The run that `name` means.

    Raises:
        UserError: there is no such run, it is a campaign, it has not come to an end, or its settings are of another
            version.
    """
    run = find(folder, name)
    start = run.start()
    if is_campaign(start):
        raise UserError(
            f"{run.id}: expected a run, given a campaign; reproduce one of its runs: "
            f"`visionlab runs --campaign {run.id} --sort val/accuracy` lists them, the best first"
        )
    _check_ended(run, campaign_of(start))
    resumed: dict[str, str] = {}
    for record in journal.read(run.journal_file)[0]:
        if record["kind"] == "resume":
            resumed |= {key.removeprefix(_RESUMED): change for key, change in record["tags"].items()}
    config = _config(run, start)
    lacking = _lacking(run, config)
    known = {key: start["params"].get(f"trainer.{key}") for key in RESOLVED}
    found = {key: value for key, value in known.items() if value is not None and getattr(config.trainer, key) == "auto"}
    config = config.model_copy(update={"trainer": config.trainer.model_copy(update=found)})
    return Original(run, start, config, _edited(start["params"], config, resumed), resumed, lacking)


def to_train(original: Original) -> TrainConfig:
    """The configuration of the reproduction: another name, and no version of a registered model, which stays one."""
    config = original.config
    return config.model_copy(
        update={
            "name": f"reproduces-{original.run.id}"[:LONGEST_NAME],
            "tracking": config.tracking.model_copy(update={"log_model": False}),
        }
    )


def _check_ended(run: Run, campaign: str | None) -> None:
    run.mark_if_abandoned()
    last = journal.last(run.journal_file) or {}
    status = run.status()
    if status == "RUNNING":
        raise UserError(f"{run.id}: expected a run that has finished, this one is being trained; wait for its end")
    if status != "FINISHED":
        resume = f"its campaign {campaign} goes on" if campaign else f"`visionlab resume {run.id}` goes on with it"
        raise UserError(f"{run.id}: expected a run that has finished, this one is {status}; {resume}")
    if "pruned" in last.get("tags", {}):
        raise UserError(
            f"{run.id}: expected a run that was trained to its end, its campaign ended this one early "
            f"({last['tags']['pruned']}); choose another one"
        )


def _config(run: Run, start: Record) -> TrainConfig:
    """The run's configuration, which a version of visionlab may have written that had other settings."""
    try:
        return run.config()
    except ConfigError as error:
        tags = start["tags"]
        commit = f", commit {tags['git.commit'][:SHORT]}" if "git.commit" in tags else ""
        raise UserError(
            f"{run.id}: expected settings that this version of visionlab has, its config.yaml is of "
            f"{tags.get('visionlab', 'an unknown one')}{commit}: {'; '.join(error.lines)}; "
            "reproduce it with that version, or mend the file"
        ) from None


def _lacking(run: Run, config: TrainConfig) -> dict[str, Any]:
    recorded = flatten(yaml.safe_load((run.path / "config.yaml").read_text(encoding="utf-8")))
    return {key: value for key, value in flatten(config.model_dump(mode="json")).items() if key not in recorded}


def _edited(params: Mapping[str, Any], config: TrainConfig, resumed: Mapping[str, str]) -> dict[str, tuple[Any, Any]]:
    """What of `config` is not what was recorded; where it is tracked and what it is called is no matter."""
    edited = {}
    for key, now in flatten(config.model_dump(mode="json")).items():
        then = params.get(key, now)  # a setting that is new since has its default
        if key in resumed:
            then = now if resumed[key].endswith(f" -> {now}") else resumed[key].rpartition(" -> ")[2]
        if then != now and key != "name" and not key.startswith("tracking."):
            edited[key] = (then, now)
    return edited
