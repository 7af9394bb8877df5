"""The part `crawl` of bench_gather.py: images a second through our crawl and through icrawler's own."""

from __future__ import annotations

import logging
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from bench_lib import median_ratio, print_table, spread
from icrawler.builtin import UrlListCrawler
from PIL import Image

from visionlab import project
from visionlab.config.gather import ClassConfig, GatherConfig, PolitenessConfig
from visionlab.gather.crawl import crawl
from visionlab.gather.placing import FILES

WORKERS = 16
SERVER = """
import functools, http.server, os, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *arguments): pass
    def do_GET(self):
        name = self.path.rpartition("/")[2]
        data = images.get(name)
        self.send_response(200 if data is not None else 404)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
images = {name: open(os.path.join(sys.argv[1], name), "rb").read() for name in os.listdir(sys.argv[1])}
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def measure_crawl(images: int, rounds: int) -> None:
    """Fetch the same list of addresses by both, in turn, from a server in a process of its own."""
    rates: dict[str, list[float]] = {"ours": [], "icrawler": []}
    arrived: dict[str, list[int]] = {"ours": [], "icrawler": []}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), images) as addresses:
        for number in range(rounds):
            for arm in sorted(rates, reverse=bool(number % 2)):
                count, seconds = in_fresh_process(ARMS[arm], addresses)
                rates[arm].append(count / seconds)
                arrived[arm].append(count)
            print(f"round {number + 1}: " + ", ".join(f"{arm} {rates[arm][-1]:.0f}" for arm in rates), flush=True)
    print(f"\n{images:,} images of 15 to 30 kB from one host, {WORKERS} downloads at a time")
    rows = [(arm, *spread(rates[arm], 0), f"{min(arrived[arm]):,}") for arm in rates]
    print_table(["images/s", "median", "range", "arrived, at least"], rows)
    print(f"ours / icrawler  {median_ratio(rates['ours'], rates['icrawler'])}, wanted: at least 1")


def in_fresh_process(arm: Callable[[list[str], Path], int], addresses: list[str]) -> tuple[int, float]:
    """How many images arrived, and in how many seconds of the clock, imports aside."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(timed, arm, addresses).result()


def timed(arm: Callable[[list[str], Path], int], addresses: list[str]) -> tuple[int, float]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        count = arm(addresses, Path(folder))
        return count, time.perf_counter() - began


def ours(addresses: list[str], folder: Path) -> int:
    """Everything on: ledger, hashes, robots.txt, limits; but in no need to be polite."""
    listed = folder / "urls.txt"
    listed.write_text("\n".join(addresses))
    nothing = folder / "nothing.txt"
    nothing.write_text("# none")
    config = GatherConfig(
        name="bench",
        classes={"cat": ClassConfig(urls=str(listed)), "dog": ClassConfig(urls=str(nothing))},
        sources=(),
        workers=WORKERS,
        politeness=PolitenessConfig(requests_per_second=1e6, allow_hosts=("127.0.0.1",)),
    )
    crawl(config, folder / "set", Silent())
    return len(list((folder / "set" / FILES).iterdir()))


def icrawlers_own(addresses: list[str], folder: Path) -> int:
    """Its crawler of lists as it is."""
    crawler = UrlListCrawler(
        downloader_threads=WORKERS, storage={"root_dir": str(folder / "set")}, log_level=logging.CRITICAL
    )
    crawler.crawl(addresses, max_num=len(addresses))
    return len(list((folder / "set").iterdir()))


ARMS = {"ours": ours, "icrawler": icrawlers_own}


class Silent:
    """A watch that nobody looks at."""

    def found(self, label: str) -> None: ...

    def fetched(self, label: str) -> None: ...

    def failed(self, label: str, reason: str) -> None: ...

    def source_said(self, name: str, text: str) -> None: ...


@contextmanager
def serving(folder: Path, images: int) -> Iterator[list[str]]:
    """The addresses of so many images, which a server in a process of its own has in memory."""
    write_images(folder, images)
    command = [sys.executable, "-c", SERVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=project.root()) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        yield [f"http://127.0.0.1:{port}/{file.name}" for file in sorted(folder.iterdir())]
        server.kill()


def write_images(folder: Path, images: int) -> None:
    """Different JPEGs of the size that search engines show."""
    random = np.random.default_rng(0)
    for number in range(images):
        coarse = Image.fromarray(random.integers(0, 256, (48, 64, 3), dtype=np.uint8))
        coarse.resize((480, 360), Image.Resampling.BICUBIC).save(folder / f"{number:05}.jpg", quality=75)
