"""What the commands have in common that carry out several runs."""

from __future__ import annotations

import argparse

from visionlab import project
from visionlab.commands.overrides import add_overrides


def add_campaign_arguments(parser: argparse.ArgumentParser, description: str, own: str) -> None:
    """Take the words of a campaign.

    Args:
        own: an example of the words that are not for the runs.
    """
    parser.description = (
        f"{description}\n"
        "The test set is not read. A campaign that was stopped or killed goes on with the same words, to the same\n"
        "total; runs that were done are not repeated."
    )
    add_overrides(parser)
    parser.add_argument("--fresh", action="store_true", help="begin a new campaign beside the one of the same name")
    studies = ", ".join(sorted(file.stem for file in (project.conf() / "study").glob("*.yaml")))
    parser.epilog = "\n".join(
        [
            f"words for the campaign: {own}",
            "  campaign.workers=4           runs at a time; on GPUs each has its own",
            "  campaign.name=…              by default made of the words",
            "  campaign.minutes_per_run=10  a run that takes longer has failed",
            "  campaign.launcher=slurm      runs as jobs of a cluster: campaign.slurm={partition: gpu}",
            "  study.storage=postgresql://… a database that several machines share; by default runs/campaigns.db",
            "",
            "all other words are for the runs, as in `visionlab train`:",
            "",
            *(parser.epilog or "").splitlines(),
        ]
    ).replace(f"  {'study':<11} {studies}\n", f"  {'study':<11} {studies} (for `visionlab tune`)\n")


def run_campaign(kind: str, arguments: argparse.Namespace, overrides: list[str]) -> None:
    from visionlab.campaigns.carry_out import carry_out

    carry_out(kind, overrides, arguments.fresh)
