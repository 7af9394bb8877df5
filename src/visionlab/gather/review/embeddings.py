"""What the embedded network says of image files, kept on disk: an image goes through the network once.

They lie in shards of some hundred by the content of their files, in a folder named after the weights and all else that
they depend on.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from visionlab.config.model import PretrainedConfig
from visionlab.config.trainer import TrainerConfig
from visionlab.data import decode as decoding
from visionlab.data.decode import MACHINE_ERRORS, BrokenImageError, decode
from visionlab.gather.shards import make_place, read_shards, write_shard
from visionlab.models.pretrained.architecture import architecture
from visionlab.models.pretrained.embedded import ARCH, embedded_weights
from visionlab.models.pretrained.weights import load_weights
from visionlab.training.hardware import device_of, keep_freed_memory, resolve
from visionlab.training.identity import fingerprint

SIDE = 224  # pixels: what the network has learnt from
BATCH = 64  # images: larger ones fit no cache of a CPU
SHARD = 256  # images: what is computed anew at most after the process was killed

Embedding = NDArray[np.float16]  # (F,)
Network = Callable[[NDArray[np.uint8]], NDArray[np.float16]]  # (B, 3, SIDE, SIDE) -> (B, F)


def embed_all(files: Sequence[Path], cache: Path) -> list[Embedding | str]:
    """Embed images by EfficientNet-Lite0, or read what an earlier call has computed, under whatever name.

    Args:
        files: to be embedded.
        cache: a folder for nothing else. Only one process at a time may use it.

    Returns:
        For each file, in order, its embedding, or the reason why the file cannot be read.

    Raises:
        OSError: the machine failed, not a file.
    """
    # of the precision alone, not of the device: what is computed elsewhere may be taken along
    precision = resolve(TrainerConfig()).precision
    folder = cache / _identity(precision)
    make_place(folder)
    known: dict[str, Embedding] = read_shards(folder, _embeddings)
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(_hash, files))
    missing = {key: file for file, (key, _) in zip(files, hashes, strict=True) if key and key not in known}
    broken = _embed(missing, folder, known) if missing else {}
    return [known[key] if key in known else broken.get(key, reason) for key, reason in hashes]


def _identity(precision: str) -> str:
    state = f"{decoding.VERSION} {SIDE} {precision} {fingerprint(embedded_weights())}"
    return hashlib.blake2b(state.encode(), digest_size=8).hexdigest()


def _hash(file: Path) -> tuple[str, str]:
    """A hash of the content, or nothing and why there is none to be had."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest(), ""
    except OSError as error:
        if error.errno in MACHINE_ERRORS:
            raise
        return "", error.strerror or str(error)


def _embed(missing: dict[str, Path], folder: Path, known: dict[str, Embedding]) -> dict[str, str]:
    """Add to `known` the embeddings of files by key; of those that are broken give the reason."""

    def one(file: Path) -> NDArray[np.uint8] | str:
        try:
            return decode(file, SIDE, "rgb")
        except BrokenImageError as error:
            return str(error)

    broken: dict[str, str] = {}
    network = _network()
    keys = list(missing)
    progress = tqdm(total=len(keys), desc="looking at the images", unit="image", disable=None)
    # Pillow lets go of the interpreter's lock; what it warns of, the user need not know
    with progress, ThreadPoolExecutor() as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for start in range(0, len(keys), SHARD):
            shard: dict[str, Embedding] = {}
            for first in range(start, min(start + SHARD, len(keys)), BATCH):
                part = keys[first : min(first + BATCH, start + SHARD)]
                outcomes = dict(zip(part, pool.map(one, (missing[key] for key in part)), strict=True))
                broken |= {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, str)}
                pixels = {key: outcome for key, outcome in outcomes.items() if not isinstance(outcome, str)}
                if pixels:
                    shard |= zip(pixels, network(np.stack(list(pixels.values()))), strict=True)
                progress.update(len(part))
            if shard:
                write_shard(folder, shard, embedding=np.stack(list(shard.values())))
            known |= shard
    return broken


def _network() -> Network:
    built = architecture(ARCH)
    load_weights(built.backbone, PretrainedConfig(arch=ARCH, weights="embedded"), built.last)
    trainer = resolve(TrainerConfig())
    device = device_of(trainer)
    if device.type == "cpu":
        keep_freed_memory()  # to fetch it anew took as long as to compute
    layout = torch.channels_last if trainer.channels_last else torch.contiguous_format
    backbone = built.backbone.eval().to(device).to(memory_format=layout)
    made = built.preprocessing
    mean, std = (255 * torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (made.mean, made.std))

    @torch.inference_mode()
    def embed(pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
        images = torch.from_numpy(pixels).to(device).to(torch.float32, memory_format=layout)
        with torch.autocast(device.type, torch.bfloat16, enabled=trainer.precision == "bf16-mixed"):
            return np.asarray(backbone((images - mean) / std).to(torch.float16).cpu())

    return embed


def _embeddings(content: Any) -> dict[str, Embedding]:
    return dict(zip(content["key"].tolist(), content["embedding"], strict=True))
