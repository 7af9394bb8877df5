"""`visionlab schema`: JSON schemas of the YAML files, for editors."""

from __future__ import annotations

import argparse

from visionlab import project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Write the JSON schemas that the first line of each conf/**/*.yaml points an editor to."


def run(arguments: argparse.Namespace) -> None:
    from visionlab.config.schema import write_schemas

    files = write_schemas(project.conf() / ".schema")
    print(f"{len(files)} schemas in {files[0].parent}")
