"""The labelled images of Kaggle's competition "Dogs vs. Cats", fetched with the user's own account."""

from __future__ import annotations

import contextlib
import io
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import requests

from visionlab.data.download import PAUSE, ROUNDS, in_words, is_final, say
from visionlab.errors import DataUnavailableError

COMPETITION, FILE = "dogs-vs-cats", "train.zip"
RULES = f"https://www.kaggle.com/c/{COMPETITION}/rules"
TOKEN = (
    "kaggle.com -> Settings -> API makes one, for ~/.kaggle/kaggle.json, or KAGGLE_USERNAME and KAGGLE_KEY, or "
    "KAGGLE_API_TOKEN"
)
ELSE = "`visionlab data petimages` needs no account"


def download() -> Path:
    """Download the archive into kagglehub's own cache, or go on with an earlier download there.

    Raises:
        DataUnavailableError: there is no token, or Kaggle refuses it; or there is no network. One line.
        OSError: the disk is full, or may not be written to.
    """
    say(f"asking Kaggle for {FILE} of {COMPETITION}")
    with _quiet():
        path = _download(again=False)
        # what was resumed may be damaged: kagglehub compares checksums only where the server tells one
        if not zipfile.is_zipfile(path):
            path = _download(again=True)
    say(f"{path} is kagglehub's copy: needed no more when the test set is complete")
    return path


def _download(again: bool) -> Path:
    import kagglehub
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

    for attempt in range(1, ROUNDS + 1):
        try:
            return Path(kagglehub.competition_download(COMPETITION, FILE, force_download=again))
        except UnauthenticatedError:
            raise DataUnavailableError(f"Kaggle asks for a token, found none: {TOKEN}; {ELSE}") from None
        except DataCorruptionError:
            failure, final = "the file was damaged on the way", False
        except FileNotFoundError as error:
            # kagglehub 1.0.2 removes the folder of an outdated copy and then writes into it; next time it makes it anew
            failure, final = f"kagglehub: {error}", False
        except requests.RequestException as error:
            failure, final = _told(error), is_final(error)
        except ValueError as error:  # kaggle.json
            raise DataUnavailableError(f"{error}: {TOKEN}") from error
        if final or attempt == ROUNDS:
            break
        time.sleep(PAUSE * attempt)
    raise DataUnavailableError(f"Kaggle: {failure}; {ELSE}")


def _told(error: requests.RequestException) -> str:
    """What Kaggle's answer means, and what to do."""
    status = None if error.response is None else error.response.status_code
    match status:
        case 401:
            return f"does not know this token (HTTP 401): make a new one: {TOKEN}"
        case 403:
            return f"asks you to accept the rules of the competition first (HTTP 403): {RULES}"
        case None:
            return f"{in_words(error)}: is there a network? What was downloaded stays, the next call goes on"
        case _:
            return in_words(error)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what kagglehub prints and logs from the user, but for the bar on a terminal."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        if not sys.stderr.isatty():
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield
