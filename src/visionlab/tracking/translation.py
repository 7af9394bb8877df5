"""A journal's records in MLflow's terms: its kinds of entries, its limits on names and values. Needs no mlflow."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from visionlab.tracking.journal import Record

# what servers since 2.8 take; longer values they would cut without a word
LONGEST_NAME, LONGEST_PARAM, LONGEST_TAG, LONGEST_SCHEMA = 250, 6000, 5000, 1_000_000
LONGEST_DIGEST = 36
ENTRIES_PER_CALL, PARAMS_PER_CALL, TAGS_PER_CALL = 1000, 100, 100
# keys of a run's first record that make columns of the UI's list of runs
COLUMNS = {"model": "model.name", "data": "data.name", "precision": "trainer.precision"}


class Point(NamedTuple):
    """A value of a metric; `time` in milliseconds since 1970."""

    name: str
    value: float
    time: int
    step: int


class Setting(NamedTuple):
    """A parameter of the run."""

    name: str
    text: str


class Tag(NamedTuple):
    """A tag of the run."""

    name: str
    text: str


class Images(NamedTuple):
    """Images that a run used, as MLflow describes data sets."""

    name: str
    context: str
    digest: str
    schema: str | None
    profile: str


class Network(NamedTuple):
    """A network to make a model of, which becomes a version of the registered model `name`."""

    name: str
    folder: str
    tags: dict[str, str]


Entry = Point | Setting | Tag


@dataclass
class Batch:
    """What some records come to; all paths are relative to the run's folder.

    Attributes:
        texts: files to be made in MLflow, by path.
        files: to be copied, each once.
        models: networks to make models of.
        status: the last one and, unless it is RUNNING, when the run ended.
    """

    points: list[Point] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    images: list[Images] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    models: list[Network] = field(default_factory=list)
    status: tuple[str, int] | None = None

    def parts(self) -> list[list[Entry]]:
        """Parameters, tags and points in as few requests as MLflow's limits allow."""
        settings = [Setting(*item) for item in self.params.items()]
        tags = [Tag(*item) for item in self.tags.items()]
        points = self.points
        parts: list[list[Entry]] = []
        while settings or tags or points:
            part: list[Entry] = [*settings[:PARAMS_PER_CALL], *tags[:TAGS_PER_CALL]]
            room = ENTRIES_PER_CALL - len(part)
            parts.append([*part, *points[:room]])
            settings, tags, points = settings[PARAMS_PER_CALL:], tags[TAGS_PER_CALL:], points[room:]
        return parts


def translate(records: list[Record]) -> Batch:
    """Put records together: every point, the last value of each tag, every file once, the last status."""
    batch = Batch()
    for record in records:
        _add(batch, record)
    batch.files = list(dict.fromkeys(batch.files))
    return batch


def name(text: str) -> str:
    """A name for `text` that MLflow takes: a code for each character that it refuses, such as those of `c++`."""
    text = re.sub(r"[^\w/. :-]", lambda refused: f"_{ord(refused[0]):x}_", text)
    if posixpath.normpath(text) != text or text.startswith(("/", "..")):
        # MLflow refuses names that as paths would be others
        parts = [part.replace(".", "_2e_") if part == "." or part[:2] == ".." else part for part in text.split("/")]
        text = "/".join(part or "_" for part in parts)
    if len(text) > LONGEST_NAME:
        text = f"{text[: LONGEST_NAME - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return text


def tables_tag(paths: Sequence[str]) -> dict[str, str]:
    """The tag by which the UI finds the tables among a run's artifacts: as many of them as it has room for."""
    known = [{"path": path, "type": "table"} for path in paths]
    while len(json.dumps(known)) > LONGEST_TAG:
        known.pop()
    return {"mlflow.loggedArtifacts": json.dumps(known)}


def _add(batch: Batch, record: Record) -> None:
    match record["kind"]:
        case "metrics":
            batch.points += [
                Point(name(key), value, record["time"], record["step"]) for key, value in record["values"].items()
            ]
        case "start":
            _add_start(batch, record)
        case "resume":
            batch.tags |= _shortened(batch, record, "tags", LONGEST_TAG)
            batch.files.append("config.yaml")
            batch.status = ("RUNNING", record["time"])
        case "status":
            batch.tags |= _shortened(batch, record, "tags", LONGEST_TAG)
            batch.status = (record["status"], record["time"])
        case "dataset":
            batch.images.append(_images(record))
        case "artifact":
            batch.files.append(record["file"])
        case "table":
            batch.files.append(record["file"])
            batch.tables.append(record["file"])
        case "model":
            batch.models.append(Network(record["name"], record["folder"], record["tags"]))


def _add_start(batch: Batch, record: Record) -> None:
    params, tags = record["params"], record["tags"]
    batch.params |= _shortened(batch, record, "params", LONGEST_PARAM)
    batch.tags |= {column: str(params[key]) for column, key in COLUMNS.items() if key in params}
    if "model.name" in params and "data.name" in params:
        batch.tags["mlflow.note.content"] = _description(record["run"], params)
    if "command" in tags:
        batch.tags |= {"mlflow.source.name": tags["command"][:LONGEST_TAG], "mlflow.source.type": "LOCAL"}
    if "git.commit" in tags:
        batch.tags["mlflow.source.git.commit"] = tags["git.commit"]
    batch.tags |= _shortened(batch, record, "tags", LONGEST_TAG)
    batch.files.append("config.yaml")


def _description(run: str, params: dict[str, Any]) -> str:
    settings = {"epochs": "trainer.max_epochs", "seed": "seed", "precision": "trainer.precision"}
    details = [f"{word} {params[key]}" for word, key in settings.items() if key in params]
    return f"Run {run}: {params['model.name']} on {params['data.name']}, {', '.join(details)}"


def _shortened(batch: Batch, record: Record, part: str, longest: int) -> dict[str, str]:
    """Texts of the record's params or tags; those that are too long point to a file with the whole."""
    texts = {name(key): _text(value) for key, value in record.get(part, {}).items()}
    whole = {key: text for key, text in texts.items() if len(text) > longest}
    if not whole:
        return texts
    path = f"long/{record['kind']}-{part}-{record['time']}.json"
    batch.texts[path] = json.dumps(whole, ensure_ascii=False, indent=1)
    pointer = f"… (whole: {path})"
    return texts | {key: text[: longest - len(pointer)] + pointer for key, text in whole.items()}


def _text(value: Any) -> str:
    # PostgreSQL has no zero bytes in texts
    return str(value).replace("\0", "\\0")


def _images(record: Record) -> Images:
    """MLflow keeps one description for a name and digest: the digest has to differ where the images do."""
    content = {"images": record["images"], "classes": record["classes"], "fingerprint": record["digest"]}
    profile = json.dumps(content, ensure_ascii=False)
    mark = hashlib.sha256(profile.encode()).hexdigest()[:8]
    # the UI shows each entry of a profile on a line, cut after 80 characters, and a schema as a table: here of classes
    columns = [{"name": key, "type": f"{count:,} images"} for key, count in record["classes"].items()]
    schema = json.dumps({"mlflow_colspec": columns}, ensure_ascii=False)
    return Images(
        name=record["name"],
        context=record["context"],
        digest=f"{record['digest'][: LONGEST_DIGEST - 9]}-{mark}",
        schema=schema if len(schema.encode()) <= LONGEST_SCHEMA else None,
        profile=profile,
    )
