"""`visionlab lab NAME`: a small controlled experiment on one of the problems of training."""

from __future__ import annotations

import argparse
import sys

import yaml

from visionlab import project
from visionlab.commands.campaign import add_campaign_arguments
from visionlab.comparison.table import aligned
from visionlab.config.defaults import options
from visionlab.errors import ConfigError, UserError

ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_campaign_arguments(
        parser,
        "Do a lab, a small controlled experiment on a problem of training: train its runs, draw its picture, and say\n"
        "whether the effect is seen that it is about. `visionlab lab` lists them, `visionlab lab all` does them all.\n"
        "The exit code is 1 if an effect is not seen.",
        "lab.full=true (the real sizes)  lab.tiny=true (a first look, in seconds)",
    )


def run(arguments: argparse.Namespace) -> None:
    names = [word for word in arguments.overrides if "=" not in word]
    words = [word for word in arguments.overrides if "=" in word]
    known = options(project.conf(), "lab")
    if not names and not any(word.startswith("lab=") for word in words):
        print("\n".join(_listing(known)))
        return
    labs = known if names == [ALL] else names
    if len(labs) > 1 and any(word.startswith("campaign.name=") for word in words):
        raise UserError("campaign.name: expected none for several labs, each of which has its own")
    if len(labs) < 2:
        absent = _carry_out(labs[0] if labs else None, words, arguments.fresh)
    else:
        absent = [line for name in labs for line in _carry_out_if_possible(name, words, arguments.fresh)]
    if absent:
        print("", *absent, sep="\n", file=sys.stderr)
        sys.exit(1)


def _carry_out(name: str | None, words: list[str], fresh: bool) -> list[str]:
    """Do one lab; a line for each effect that was not seen."""
    from visionlab.campaigns.carry_out import carry_out
    from visionlab.labs.conclusion import absent

    return absent(carry_out("lab", [f"lab={name}", *words] if name else words, fresh))


def _carry_out_if_possible(name: str, words: list[str], fresh: bool) -> list[str]:
    """As one of several: what keeps this one from being done need not keep the others, and is said at the end."""
    try:
        return _carry_out(name, words, fresh)
    except ConfigError:
        raise  # nothing was begun, and the next would say the same
    except UserError as error:
        return [f"lab-{name}: {error}"]


def _listing(names: list[str]) -> list[str]:
    rows = []
    for name in names:
        content = yaml.safe_load((project.conf() / "lab" / f"{name}.yaml").read_text(encoding="utf-8"))
        rows.append([name, str(content.get("question", ""))])
    return [*aligned(rows, ()), "", "visionlab lab NAME does one of them, visionlab lab all does them all"]
