"""A large file from one address, in as many pieces as the network breaks it into."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from tqdm import tqdm

from visionlab.data.download import CONNECT_WITHIN, HEADERS, PAUSE, ROUNDS, STALL_AFTER, in_words, is_final, say
from visionlab.errors import DataUnavailableError

PIECE = 1 << 16  # bytes; what is lost when the connection is


@dataclass(frozen=True)
class Published:
    """A file as its authors publish it: name, size in bytes, and SHA-256."""

    name: str
    size: int
    sha256: str


class _OtherFileError(Exception):
    """The address has another file than the published one; the message says how it differs."""


def download_resumable(file: Published, url: str, folder: Path) -> Path:
    """Download a file into `folder`; it gets its name when it is complete and its SHA-256 the right one.

    Until then it is called `NAME.partial`, and a later call goes on where this one was stopped. An address that breaks
    off is asked again, until it has nothing new to give for `ROUNDS` times.

    Raises:
        DataUnavailableError: the address does not deliver the file; says why and what to do.
    """
    target, partial = folder / file.name, folder / f"{file.name}.partial"
    if target.exists():
        return target
    failures = 0
    while True:
        before = _length(partial)
        try:
            _go_on(file, url, partial)
            _check(file, partial)
            partial.replace(target)
            return target
        except _OtherFileError as error:
            # a beginning that an earlier call has left may be to blame, so that one is not asked for again
            failure, final = str(error), before == 0
            partial.unlink(missing_ok=True)
        except requests.RequestException as error:
            failure, final = in_words(error), is_final(error)
        failures = 1 if _length(partial) > before else failures + 1
        if final or failures >= ROUNDS:
            kept = f"; {_length(partial) / 1e6:,.1f} MB are here, the next call goes on" if partial.exists() else ""
            raise DataUnavailableError(f"{url}: {failure}{kept}. --url names another address, --from a zip file")
        say(f"{url}: {failure}, trying again")
        time.sleep(PAUSE * failures)


def _go_on(file: Published, url: str, partial: Path) -> None:
    """Download what is missing."""
    have = _length(partial)
    if have == file.size:
        return
    headers = HEADERS | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_WITHIN, STALL_AFTER)) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            raise _OtherFileError("sent another file (a shorter one)")
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            have = 0  # a server that knows no ranges sends all of it
        _check_length(file, response, have)
        progress = tqdm(
            total=file.size,
            initial=have,
            desc=f"{file.name} from {urlsplit(url).hostname}",
            unit="B",
            unit_scale=True,
            leave=False,
            disable=None,
        )
        with progress, partial.open("ab" if have else "wb") as stream:
            for piece in response.iter_content(PIECE):
                stream.write(piece)
                progress.update(len(piece))
                if stream.tell() > file.size:
                    raise _OtherFileError("sent another file (a longer one)")
    if _length(partial) < file.size:
        raise requests.exceptions.ChunkedEncodingError  # known as "broke off", as where the server said the length


def _check_length(file: Published, response: requests.Response, have: int) -> None:
    """Raise unless the server is about to send the rest of a file of the right size; most other files end here."""
    given = response.headers.get("Content-Length")
    if given is not None and int(given) != file.size - have:
        raise _OtherFileError(f"sent another file ({int(given) + have:,} bytes instead of {file.size:,})")
    if have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        raise _OtherFileError("sent another part of the file than it was asked for")


def _check(file: Published, partial: Path) -> None:
    with partial.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
            raise _OtherFileError("sent another file (SHA-256 differs)")


def _length(partial: Path) -> int:
    return partial.stat().st_size if partial.exists() else 0
