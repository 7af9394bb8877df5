"""A data set that the process may not hold in memory is decoded, split, trained on and tested all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

SIDE, COUNT = 256, 1024  # 201 MB of pixels
ALLOWED = 160e6  # bytes, beyond what the libraries take; the stacks of threads are among it

TRAIN = """
import resource, sys
import numpy as np
import psutil
import torch
from torch import nn
from visionlab.config.data import FolderConfig
from visionlab.data.folder import Folder
from visionlab.data.mapped import MappedImages

torch.set_num_threads(1)
root, side, count, allowed = sys.argv[1], *(int(float(word)) for word in sys.argv[2:])
network = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
nn.functional.cross_entropy(network(torch.zeros(2, 3, side, side)), torch.tensor([0, 1])).backward()  # loads libraries
resource.setrlimit(resource.RLIMIT_DATA, (psutil.Process().memory_info().data + allowed, resource.RLIM_INFINITY))
try:
    np.ones((count, 3, side, side), np.uint8)
except MemoryError:
    print("too large")
datamodule = Folder(FolderConfig(root=root, image_size=side, batch_size=8, eval_batch_size=8, test_fraction=0.1))
datamodule.prepare_data()
datamodule.setup()
datamodule.place(torch.device("cpu"), 0, 1, channels_last=False)
print(type(datamodule.images("train").images).__name__)
seen = 0
for loader in (datamodule.train_dataloader(), datamodule.val_dataloader(), datamodule.test_dataloader()):
    for batch in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(batch.images), batch.targets).backward()
        optimizer.step()
        seen += len(batch.images)
print(seen)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit a process's memory")
def test_a_data_set_larger_than_the_memory_is_trained_on(tmp_path: Path) -> None:
    root = tmp_path / "images"
    for number in range(COUNT):
        file = root / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number % 256, number // 256, 100)).save(file)
    command = [sys.executable, "-c", TRAIN, str(root), str(SIDE), str(COUNT), str(ALLOWED)]
    # each thread that meets a busy heap would get one of its own
    environment = os.environ | {"MALLOC_ARENA_MAX": "2"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    told, kind, seen = done.stdout.split("\n")[:3]
    assert told == "too large"
    assert kind == "MappedImages"
    assert COUNT - 8 <= int(seen) <= COUNT
