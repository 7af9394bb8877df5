"""`visionlab gather gather=catdog`: a training set from the web, cleaned, with provenance."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from visionlab import project
from visionlab.errors import UserError

if TYPE_CHECKING:
    from visionlab.config.gather import GatherConfig
    from visionlab.gather.manifest import Row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Gather images by class from search engines, lists and folders into VISIONLAB_DATA/NAME; verify each, leave\n"
        "out duplicates and whatever is a copy of an image in test/, and write manifest.csv. What was stopped goes on\n"
        "with the same words: no address is fetched twice. decisions.csv (file,keep or file,drop) has the last word."
    )
    sets = ", ".join(sorted(file.stem for file in (project.conf() / "gather").glob("*.yaml")))
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="what differs from conf/gathering.yaml")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--probe", action="store_true", help="ask every source for one page; say how many links it has")
    ways.add_argument("--status", action="store_true", help="what was found, kept and dropped so far, and why")
    ways.add_argument("--contact-sheet", action="store_true", help="draw samples of each class and each reason")
    ways.add_argument(
        "--review", action="store_true", help="list probable mislabels and outliers for you to decide; drops nothing"
    )
    ways.add_argument("--offline", action="store_true", help="fetch nothing: decide anew about what was fetched")
    parser.epilog = "\n".join(
        [
            f"sets (of conf/gather/):  gather={sets}",
            "settings:",
            "  gather.pages=5                      pages of results for each query and source (default 3)",
            "  gather.sources=[openverse,bing]     the search engines to ask",
            "  gather.search_robots=ignore         ask for pages of results that a robots.txt forbids",
            "  gather.classes.cat.folder=~/cats    take images that are on this machine already",
            "  gather.classes.cat.urls=cats.txt    take a list of addresses",
            "  gather.accept.min_side=128          leave out smaller images",
        ]
    )


def run(arguments: argparse.Namespace) -> None:
    from visionlab.config.compose import compose_config
    from visionlab.config.gather import GatheringConfig
    from visionlab.config.resolved import check

    config = check(GatheringConfig, compose_config(project.conf(), "gathering", arguments.overrides)).gather
    root = project.data() / config.name
    if arguments.probe:
        _probe(config)
    elif arguments.review:
        from visionlab.gather.review.reviewing import review

        review(root, lambda: _rows(config, root))
    elif arguments.status or arguments.contact_sheet:
        _show(config, root, arguments.contact_sheet)
    else:
        from visionlab.gather.gathering import gather

        gather(config, root, offline=arguments.offline)


def _probe(config: GatherConfig) -> None:
    from visionlab.comparison.table import aligned
    from visionlab.gather.probe import probe

    results = probe(config)
    rows = [["source", "links", ""], *([one.source, f"{one.links:,}", one.error] for one in results)]
    print(*aligned(rows, right=(1,)), sep="\n")


def _show(config: GatherConfig, root: Path, sheets: bool) -> None:
    from visionlab.gather.contact_sheet import save_contact_sheets
    from visionlab.gather.summary import summary_lines

    rows = _rows(config, root)
    if sheets:
        for file in save_contact_sheets(root, rows):
            print(file)
        print(f"drop or keep single images by lines such as cat/0123456789ab,drop in {root / 'decisions.csv'}")
    else:
        print(*summary_lines(rows), sep="\n")


def _rows(config: GatherConfig, root: Path) -> list[Row]:
    """Of the manifest, once the crawl has come to its end."""
    from visionlab.gather.crawl import open_ledger
    from visionlab.gather.manifest import FILE_NAME, read_manifest

    finds = [] if (root / FILE_NAME).exists() else open_ledger(root).finds(config)
    if finds:
        fetched = sum(find.fetch is not None and not find.fetch.reason for find in finds)
        raise UserError(
            f"{root}: the crawl has not come to its end yet: {len(finds):,} addresses found, {fetched:,} images "
            "fetched; `visionlab gather` with the same words goes on, with --offline it makes do with these"
        )
    return read_manifest(root)
