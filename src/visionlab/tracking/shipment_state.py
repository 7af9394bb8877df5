"""How far a run's journal has come on its way to MLflow: `shipped.json` and `shipper.log` in the run's folder.

The journal is sent in batches, each of them as several requests that always come out the same. What has been answered
is noted after each request, so a process that goes on repeats one request at most; repeating changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from visionlab.tracking.run import Run, write_atomically

FILE_NAME, LOG_NAME, SIGN_NAME = "shipped.json", "shipper.log", ".shipping.sign"
LONGEST_NOTE = 500
_SECRET = re.compile("PASSWORD|TOKEN|SECRET|KEY|USERNAME")
_SHORTEST_SECRET = 4  # replacing a value such as "1" would garble every line and hide nothing


@dataclass(frozen=True)
class ShipmentState:
    """What MLflow has of a run.

    Attributes:
        uri: of the server that the rest is about; None is the local store.
        mlflow_run: the run's id there.
        offset: bytes of the journal that have arrived.
        records: in the batch under way, which begins at `offset`; 0 before its first request.
        done: requests of that batch that have been answered.
        tables: paths of the tables that have arrived.
        refused: entries that the server refused for good.
        doubtful: a request to make the run was sent and never answered: there may be one run too many.
        processes: how many have begun to send it.
        experiment: the id of its experiment there.
        members: bytes that have arrived of the journals of the runs that belong to it, where it is a campaign.
    """

    uri: str | None = None
    mlflow_run: str | None = None
    offset: int = 0
    records: int = 0
    done: int = 0
    tables: tuple[str, ...] = ()
    refused: int = 0
    doubtful: bool = False
    processes: int = 0
    experiment: str | None = None
    members: int = 0


def load(run: Run) -> ShipmentState:
    """The state that was kept last. Where there is none, or none that can be read, a fresh one: all is sent anew."""
    try:
        content = json.loads((run.path / FILE_NAME).read_text(encoding="utf-8"))
        return ShipmentState(**content | {"tables": tuple(content.get("tables", ()))})
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return ShipmentState()


def keep(run: Run, state: ShipmentState) -> None:
    """Bring the state to the disk, at once and as a whole."""
    file = run.path / FILE_NAME
    part = file.with_name(f".{FILE_NAME}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(state)))
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(run)


def lock(run: Run) -> FileLock:
    """What a process holds while it sends this run."""
    return FileLock(run.path / ".shipping.lock")


def last_sign(run: Run) -> tuple[bytes | None, ...]:
    """Something that differs whenever there was progress.

    The state itself, and how far what takes many requests has come: trying the same again and again keeps the same
    again and again.
    """
    return tuple(_content(run.path / name) for name in (FILE_NAME, SIGN_NAME))


def give_sign(run: Run, what: str, part: int) -> None:
    """Say how far what takes many requests has come, unless it had come as far before and is only tried again.

    Args:
        part: how many of its parts have arrived.
    """
    before, _, farthest = (_content(run.path / SIGN_NAME) or b"").decode().rpartition(" ")
    if before != what or int(farthest) < part:
        with contextlib.suppress(OSError):
            write_atomically(run.path / SIGN_NAME, f"{what} {part}")


def note(run: Run, text: str) -> None:
    """Add a line to the run's `shipper.log`. A disk that has no room for it is no reason to stop."""
    line = f"{time.strftime('%F %T')} {redacted(text)}\n"
    with contextlib.suppress(OSError), (run.path / LOG_NAME).open("a", encoding="utf-8", errors="replace") as stream:
        stream.write(line)


def redacted(text: str) -> str:
    """`text` as one line of bearable length, with stars for the environment's passwords and tokens."""
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "***")
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_NOTE else f"{line[:LONGEST_NOTE]}…"


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _sync_folder(run: Run) -> None:
    """Bring the new name of a file to the disk, where the system can do that."""
    if os.name != "posix":
        return
    folder = os.open(run.path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
