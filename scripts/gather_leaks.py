"""The part `leaks` of bench_gather.py: copies of test images among gathered ones, from signatures that are there.

Signatures are of random pictures whose power falls with the square of the frequency, as that of photographs does
(Field 1987), so that about as many pairs come near each other; some gathered ones are noisy copies, which have to be
found. Timed in seconds of the clock and of the processors; memory is what the search adds to the resident one.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import scipy.fft
from bench_lib import print_table
from numpy.typing import NDArray

from visionlab.gather.alignment import sample
from visionlab.gather.matching import DISTANCE, find_copies
from visionlab.gather.signature import COLUMNS, MIRRORED, PLAIN, THUMBNAIL, Signatures

COPIES, NOISE = 100, 4.0  # levels of 255
WANTED_SECONDS, WANTED_MEMORY = 20.0, 1000.0
CHUNK = 1000
MEGABYTE = 1e6


class Search(NamedTuple):
    """Pairs found, seconds and bytes."""

    found: set[tuple[int, int]]
    clock: float
    processors: float
    memory: float


def measure_leaks(images: int) -> None:
    """So many gathered images against as many to test on."""
    random = np.random.default_rng(0)
    references = pictures(images, random)
    copies = min(COPIES, images)
    queries = pictures(images, random)
    queries[:copies] = references[:copies] + random.normal(0, NOISE, references[:copies].shape)
    sides = [signatures(levels) for levels in (queries, references)]
    some = [side.hashes[-2000:, PLAIN] for side in sides]
    near = np.mean(np.bitwise_count(some[0][:, None] ^ some[1]) <= DISTANCE)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.npz" for number in range(2)]
        for file, side in zip(files, sides, strict=True):
            np.savez(file, hashes=side.hashes, thumbnails=side.thumbnails)
        # in a process whose memory is that of the search, and not what the pictures have left
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            search = pool.submit(search_leaks, *files).result()
    missed = copies - len({(number, number) for number in range(copies)} & search.found)
    print(f"\n{images:,} gathered x {images:,} to test on; {near:.2%} of the pairs differ by at most {DISTANCE} bits")
    print(f"{missed} of {copies} copies missed, {len(search.found) - copies + missed} other matches")
    rows = [
        ("clock, s", search.clock, WANTED_SECONDS),
        ("processors, s", search.processors, WANTED_SECONDS * (os.cpu_count() or 1)),
        ("memory, MB", search.memory / MEGABYTE, WANTED_MEMORY),
    ]
    headings = ["", "measured", "wanted, at most", "ratio"]
    print_table(headings, [(name, f"{got:.1f}", f"{want:.0f}", f"{got / want:.2f}") for name, got, want in rows])
    if missed:
        sys.exit("copies were missed")


def search_leaks(*files: Path) -> Search:
    sides = []
    for file in files:
        with np.load(file) as content:
            sides.append(Signatures(content["hashes"], content["thumbnails"]))
    memory = MostMemory()
    memory.start()
    clock, processors = time.perf_counter(), time.process_time()
    matches = find_copies(*sides)
    clock, processors = time.perf_counter() - clock, time.process_time() - processors
    return Search({match[:2] for match in matches}, clock, processors, memory.stop())


def pictures(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """(N, 3, THUMBNAIL, THUMBNAIL) levels of random pictures, the channels of each mostly alike."""
    frequencies = np.hypot(np.fft.fftfreq(THUMBNAIL)[:, None], np.fft.rfftfreq(THUMBNAIL)) * THUMBNAIL
    amplitudes = 1 / np.maximum(frequencies, 0.5)
    mixing = np.array([[1, 0.15, 0.1], [1, 0, -0.2], [1, -0.15, 0.1]], np.float32)
    made = np.empty((count, 3, THUMBNAIL, THUMBNAIL), np.float32)
    for start in range(0, count, CHUNK):
        block = made[start : start + CHUNK]
        noise = random.normal(size=(len(block), 3, 2, *amplitudes.shape)).astype(np.float32)
        fields = np.fft.irfft2((noise[:, :, 0] + 1j * noise[:, :, 1]) * amplitudes, (THUMBNAIL, THUMBNAIL))
        block[:] = np.einsum("kc,nchw->nkhw", mixing, fields)
        block *= 50 / block.std((1, 2, 3), keepdims=True)
        block += random.normal(120, 30, (len(block), 1, 1, 1))
    return made


def signatures(levels: NDArray[np.float32]) -> Signatures:
    """Of thumbnails instead of images, with the arithmetic of ImageHash for many at a time."""
    thumbnails = np.clip(levels, 0, 255)
    hashes = np.empty((len(levels), len(COLUMNS)), np.uint64)
    grey = thumbnails.mean(1, keepdims=True)
    for start in range(0, len(levels), CHUNK):
        block = slice(start, start + CHUNK)
        for column, window in enumerate(COLUMNS):
            part = sample(grey[block], np.array([window], np.float32), THUMBNAIL)[:, 0]
            if column == MIRRORED:
                part = part[..., ::-1]
            lowest = scipy.fft.dctn(part, axes=(1, 2))[:, :8, :8].reshape(len(part), 64)
            bits = np.packbits(lowest > np.median(lowest, axis=1, keepdims=True), axis=1)
            hashes[block, column] = bits.view(">u8")[:, 0]
    return Signatures(hashes, thumbnails.transpose(0, 2, 3, 1).astype(np.uint8))


class MostMemory(threading.Thread):
    """Looks again and again how much memory the process has."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.process, self.stopped = psutil.Process(), threading.Event()
        self.before = self.most = self.process.memory_info().rss

    def run(self) -> None:
        while not self.stopped.wait(0.02):
            self.most = max(self.most, self.process.memory_info().rss)

    def stop(self) -> float:
        """Bytes that were added at most since it was made."""
        self.stopped.set()
        self.join()
        return self.most - self.before
