"""One file from the first of several addresses that delivers it. A thin layer over pooch."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests
from tqdm import tqdm

from visionlab.data.archive import Archive

ANSWER_WITHIN = 10.0  # seconds in which an address has to answer; on a network that swallows packets none does
CONNECT_WITHIN, STALL_AFTER = 10.0, 20.0  # seconds until a connection, and between two pieces of the file
ROUNDS, PAUSE = 3, 1.0  # how often all addresses are tried, and the seconds between two rounds
SLOW, SLOW_AFTER = 250_000, 15.0  # bytes a second below which the next address is tried, and after how many seconds
PIECE = 8192  # bytes between two looks at the clock
# a server that compressed the compressed file once more would have it unpacked on the way, and the MD5 differ
HEADERS = {"User-Agent": "visionlab", "Accept-Encoding": "identity"}


class DownloadError(Exception):
    """No address delivered the file; the message has a few words about each."""


class _TooSlowError(Exception):
    """The address delivers, but another one is likely to be faster."""


def download(archive: Archive, urls: Sequence[str], folder: Path) -> Path:
    """Download an archive into `folder` under its own name, checked by its MD5.

    The addresses are tried in their order. One that breaks off, stalls or sends another file is tried again after the
    others; one that is slow is left for the next, unless it is the last.

    Raises:
        DownloadError: none delivered it. If none answers at all, this is known after `ANSWER_WITHIN` seconds.
    """
    reasons = _silent(urls)
    answering = [url for url in dict.fromkeys(urls) if url not in reasons]
    for attempt in range(ROUNDS):
        if not answering:
            break
        time.sleep(PAUSE * attempt)
        for url in tuple(answering):
            has_next = attempt == 0 and url != answering[-1]
            try:
                return _retrieve(archive, url, folder, slow=SLOW if has_next else 0)
            except (requests.RequestException, _TooSlowError, ValueError) as error:
                reasons[url] = in_words(error)
                say(f"{archive.title}: {url}: {reasons[url]}")
                if is_final(error):
                    answering.remove(url)
    raise DownloadError("; ".join(f"{url}: {reasons[url]}" for url in dict.fromkeys(urls)))


def say(line: str) -> None:
    """Tell the user about something that takes time."""
    print(line, file=sys.stderr, flush=True)


def _silent(urls: Sequence[str]) -> dict[str, str]:
    """The addresses that do not answer, and why. All are asked at the same time."""
    answers: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def ask(url: str) -> None:
        try:
            requests.head(url, timeout=ANSWER_WITHIN, headers=HEADERS, allow_redirects=True)
        except (requests.RequestException, ValueError) as error:
            answers.put((url, in_words(error)))
        else:
            answers.put((url, ""))

    # daemons, as neither this function nor the end of the process may wait for a name server that never answers
    for url in urls:
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    reasons = dict.fromkeys(urls, f"no answer within {ANSWER_WITHIN:.0f} s")
    deadline = time.monotonic() + ANSWER_WITHIN
    for _ in urls:
        try:
            url, reason = answers.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            break
        reasons[url] = reason
    return {url: reason for url, reason in reasons.items() if reason}


def _retrieve(archive: Archive, url: str, folder: Path, slow: int) -> Path:
    pooch.get_logger().setLevel("WARNING")
    progress = _Progress(f"{archive.title} from {urlsplit(url).hostname}", slow)
    downloader = pooch.HTTPDownloader(
        progressbar=progress, chunk_size=PIECE, timeout=(CONNECT_WITHIN, STALL_AFTER), headers=HEADERS
    )
    try:
        path = Path(pooch.retrieve(url, f"md5:{archive.md5}", archive.filename, folder, downloader=downloader))
    finally:
        progress.close()
    seconds = progress.seconds
    speed = archive.size / 1e6 / seconds
    say(f"{archive.title}: {archive.size / 1e6:.1f} MB from {url} in {seconds:.0f} s ({speed:.1f} MB/s), MD5 checked")
    return path


class _Progress:
    """What pooch tells how far it is: a bar with speed and time left where stderr is a terminal.

    Args:
        label: stands before the bar.
        slow: bytes a second; raises _TooSlowError where the file comes slower than this.
    """

    def __init__(self, label: str, slow: int) -> None:
        self.total = 0  # bytes; pooch sets it, and leaves 0 if the server does not say
        self._received = 0
        self._slow = slow
        self._start = time.monotonic()
        self._bar = tqdm(desc=label, unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty())

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self._start, 1e-6)

    def update(self, count: int) -> None:
        # pooch counts the last piece in full, and the whole file once more when it has come
        count = min(count, self.total - self._received) if self.total else count
        self._received += count
        self._bar.total = self.total or None
        self._bar.update(count)
        speed = self._received / self.seconds
        if self.seconds > SLOW_AFTER and speed < self._slow and self._received != self.total:
            raise _TooSlowError(f"only {speed / 1000:.0f} kB/s")

    def reset(self) -> None:
        """Keep the bar as it is: starting anew would lose the time that the download took."""

    def close(self) -> None:
        self._bar.close()


def is_final(error: Exception) -> bool:
    """Whether the address would only say the same again: a client error such as 404."""
    if not isinstance(error, requests.HTTPError):
        return False
    return 400 <= error.response.status_code < 500 and error.response.status_code not in (408, 429)


def in_words(error: Exception) -> str:
    """What went wrong, in a few words."""
    text = str(error)
    match error:
        case _TooSlowError():
            return text
        case requests.HTTPError():
            return f"HTTP {error.response.status_code} {error.response.reason}"
        case requests.exceptions.SSLError():
            return "TLS certificate refused" if "certificate" in text.lower() else "TLS failed"
        case requests.exceptions.ProxyError():
            return "the proxy refused"
        case requests.ConnectTimeout():
            return f"no connection within {CONNECT_WITHIN:.0f} s"
        case requests.Timeout():
            return "no answer in time"
        case requests.exceptions.ChunkedEncodingError():
            return "broke off"
        case requests.ConnectionError():
            known = {"resolve": "host not found", "refused": "connection refused", "timed out": "stalled"}
            return next((words for sign, words in known.items() if sign in text), "connection lost")
        case requests.RequestException():
            return text or type(error).__name__
        case _:
            return "sent another file (MD5 differs)"
