"""Images go through the network once, whatever happens to the process or to what it wrote."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.gather.pictures import picture
from visionlab.gather.review import embeddings as module
from visionlab.gather.review.embeddings import embed_all

LEVELS = tuple(range(10, 120, 10))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Grey images of LEVELS."""
    found = [tmp_path / f"{level}.png" for level in LEVELS]
    for file, level in zip(found, LEVELS, strict=True):
        Image.new("RGB", (8, 8), (level, level, level)).save(file)
    return found


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The levels of the images that a network has been shown, which gives them back as embeddings."""
    levels: list[int] = []

    def network(pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
        found = pixels[:, 0, 0, 0]
        levels.extend(found.tolist())
        return found[:, None].astype(np.float16)

    monkeypatch.setattr(module, "_network", lambda: network)
    monkeypatch.setattr(module, "embedded_weights", lambda: {"layer": torch.zeros(2)})
    monkeypatch.setattr(module, "SHARD", 4)
    monkeypatch.setattr(module, "BATCH", 3)
    return levels


def levels_of(outcomes: list[NDArray[np.float16] | str]) -> list[float | str]:
    return [outcome if isinstance(outcome, str) else float(outcome[0]) for outcome in outcomes]


def test_each_image_is_seen_once_whatever_its_name(files: list[Path], cache: Path, seen: list[int]) -> None:
    assert levels_of(embed_all(files, cache)) == list(LEVELS)
    assert seen == list(LEVELS)
    renamed = files[0].rename(files[0].with_name("other.png"))
    copy = files[1].with_name("copy.png")
    copy.write_bytes(files[1].read_bytes())
    Image.new("RGB", (8, 8), (200, 200, 200)).save(files[2])
    seen.clear()
    assert levels_of(embed_all([copy, files[2], renamed, files[1]], cache)) == [20, 200, 10, 20]
    assert seen == [200]


def test_what_cannot_be_read_costs_only_itself(files: list[Path], cache: Path, seen: list[int]) -> None:
    files[1].unlink()
    files[3].write_bytes(files[3].read_bytes()[:40])
    for _ in range(2):
        outcomes = levels_of(embed_all(files, cache))
        assert outcomes[1] == "No such file or directory"
        assert isinstance(outcomes[3], str)
        assert [outcome for outcome in outcomes if not isinstance(outcome, str)] == [10, 30, *LEVELS[4:]]
    assert len(seen) == len(LEVELS) - 2


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_shard_is_made_again(files: list[Path], cache: Path, seen: list[int], damage: bytes | None) -> None:
    embed_all(files, cache)
    shard = sorted(cache.glob("*/*.npz"))[0]
    shard.write_bytes(shard.read_bytes()[:-9] if damage is None else damage)
    seen.clear()
    assert levels_of(embed_all(files, cache)) == list(LEVELS)
    assert 3 <= len(seen) <= 4
    assert len(list(cache.glob("*/*.npz"))) == 3


def test_other_weights_make_other_embeddings(
    files: list[Path], cache: Path, seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_all(files, cache)
    seen.clear()
    monkeypatch.setattr(module, "embedded_weights", lambda: {"layer": torch.ones(2)})
    embed_all(files, cache)
    assert seen == list(LEVELS)
    assert len(list(cache.iterdir())) == 1  # what the old ones gave is of no use any more


def _embed_slowly(files: list[Path], cache: Path) -> None:
    def network(pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
        time.sleep(0.2)
        return np.zeros((len(pixels), 1), np.float16)

    module._network = lambda: network  # of this process, as are the weights of `seen`
    embed_all(files, cache)


def test_killed_it_goes_on_where_it_was(files: list[Path], cache: Path, seen: list[int]) -> None:
    process = multiprocessing.get_context("fork").Process(target=_embed_slowly, args=(files, cache))
    process.start()
    assert process.pid is not None
    end = time.monotonic() + 30
    while not list(cache.glob("*/*.npz")) and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    (folder,) = cache.iterdir()
    (folder / "half.partial").write_bytes(b"half")
    left = len(LEVELS) - 4 * len(list(folder.glob("*.npz")))
    embed_all(files, cache)
    assert 0 < left < len(LEVELS)
    assert len(seen) == left
    assert not list(folder.glob("*.partial"))


@pytest.mark.slow
def test_the_embedded_network_tells_pictures_apart(tmp_path: Path, cache: Path) -> None:
    files = []
    for kind, pictures in {
        "smooth": [picture(seed, (120, 90)) for seed in range(3)],
        "noise": [Image.effect_noise((120, 90), 60 + 20 * number).convert("RGB") for number in range(3)],
    }.items():
        for number, image in enumerate(pictures):
            files.append(tmp_path / f"{kind}{number}.png")
            image.save(files[-1])
    outcomes = embed_all(files, cache)
    found = np.stack([outcome.astype(np.float32) for outcome in outcomes if not isinstance(outcome, str)])
    assert found.shape == (6, 1280)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    alike = unit @ unit.T
    assert alike[:3, :3].min() > alike[:3, 3:].max()
    assert alike[3:, 3:].min() > alike[:3, 3:].max()
    # what was kept is what was computed
    assert np.array_equal(found.astype(np.float16), np.stack(embed_all(files, cache)))
