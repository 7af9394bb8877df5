"""CIFAR-10: its folder is found, its batches are read exactly and safely, and a damaged file is named."""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from visionlab import project
from visionlab.config.data import Cifar10Config
from visionlab.data import cifar10, cifar10_files
from visionlab.data.cifar10 import Cifar10
from visionlab.errors import DamagedDataError

REAL = project.data() / "cifar-10-batches-py"
CLASSES = [b"airplane", b"automobile", b"bird", b"cat", b"deer", b"dog", b"frog", b"horse", b"ship", b"truck"]
COUNT = 20  # images in a batch


def string(value: bytes) -> bytes:
    return b"U" + bytes([len(value)]) + value


def batch_file(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 pickled it, which Python 3 cannot write: its bytes are strings of eight bits."""
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"M" + struct.pack("<H", len(images)) + b"M\x00\x0c\x86"
    data = array + b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<i", images.size) + images.tobytes() + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + string(b"labels") + numbers + string(b"data") + data + b"u."


def meta_file() -> bytes:
    names = b"](" + b"".join(map(string, CLASSES)) + b"e"
    count = string(b"num_cases_per_batch") + b"M" + struct.pack("<H", COUNT)
    return b"\x80\x02}(" + count + string(b"label_names") + names + b"u."


@pytest.fixture
def files() -> dict[str, bytes]:
    random = np.random.default_rng(0)
    batches = [
        batch_file(random.integers(0, 256, (COUNT, 3072), np.uint8), [image % 10 for image in range(COUNT)])
        for _ in (*cifar10.TRAIN, *cifar10.TEST)
    ]
    return dict(zip((*cifar10.TRAIN, *cifar10.TEST), batches, strict=True)) | {"batches.meta": meta_file()}


@pytest.fixture
def small(files, make_archive, monkeypatch):
    """Put a CIFAR-10 of 120 images in the place of the real one; gives the archive and its content."""
    archive, tar = make_archive(files)
    for module in (cifar10, cifar10_files):
        monkeypatch.setattr(module, "CIFAR10", archive)
    return archive, tar


@pytest.fixture
def folder(small, files):
    folder = project.data() / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_read_equals_an_ordinary_unpickling(folder):
    raw = Cifar10(Cifar10Config()).read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy has moved since the files were written
        batches = [pickle.loads((folder / name).read_bytes(), encoding="bytes") for name in cifar10.TRAIN]
        test = pickle.loads((folder / "test_batch").read_bytes(), encoding="bytes")
    expected = np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, 3, 32, 32)
    assert torch.equal(raw.train.images, torch.from_numpy(expected))
    assert raw.train.labels.tolist() == [label for batch in batches for label in batch[b"labels"]]
    assert torch.equal(raw.test.images, torch.from_numpy(test[b"data"].reshape(-1, 3, 32, 32).copy()))
    assert raw.classes == tuple(name.decode() for name in CLASSES)
    assert (raw.train.images.dtype, raw.train.labels.dtype) == (torch.uint8, torch.int64)


def test_batch_that_names_a_function_is_refused(folder, tmp_path):
    attack = b"cos\nsystem\n" + string(b"touch " + bytes(tmp_path / "owned")) + b"\x85R."
    (folder / "test_batch").write_bytes(attack)
    with pytest.raises(pickle.UnpicklingError, match=r"does not hold a (os|posix)\.system"):
        cifar10._load(folder / "test_batch")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("position", [0, 2_000], ids=["unreadable", "readable, one pixel altered"])
def test_altered_batch_is_named(folder, position):
    path = folder / "data_batch_3"
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedDataError, match="damaged: data_batch_3 has another content"):
        Cifar10(Cifar10Config()).setup()


def test_whole_data_set_is_set_up(folder):
    data = Cifar10(Cifar10Config(val_fraction=0.2))
    data.prepare_data()
    data.setup()
    assert data.sizes == {"train": 80, "val": 20, "test": 20}


def test_archive_in_the_data_folder_is_unpacked(small):
    archive, tar = small
    path = project.data() / archive.filename
    path.parent.mkdir(parents=True)
    path.write_bytes(tar)
    folder = cifar10_files.ensure_cifar10(Cifar10Config(urls=("http://127.0.0.1:1/closed",)))
    assert folder == project.data() / archive.folder
    assert {item.name for item in folder.iterdir()} == set(archive.members)


def test_data_folder_may_be_the_batches_folder_itself(folder, monkeypatch):
    monkeypatch.setenv("VISIONLAB_DATA", str(folder))
    assert cifar10_files.ensure_cifar10(Cifar10Config()) == folder


def test_folder_that_lacks_a_file_is_not_replaced(folder):
    (folder / "test_batch").unlink()
    with pytest.raises(DamagedDataError, match="damaged: test_batch is missing"):
        cifar10_files.ensure_cifar10(Cifar10Config())
    assert (folder / "data_batch_1").exists()


def test_absence_is_known_without_torch(home):
    script = """
import sys
from visionlab.config.data import Cifar10Config
from visionlab.data.cifar10_files import ensure_cifar10
from visionlab.errors import DataUnavailableError
try:
    ensure_cifar10(Cifar10Config(urls=("http://127.0.0.1:1/closed",)))
except DataUnavailableError as error:
    print(error)
print({"torch", "lightning", "numpy"} & set(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"CIFAR-10 is not in {home / 'data'}" in result.stdout
    assert result.stdout.endswith("set()\n")


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason=f"CIFAR-10 is not in {project.data()}")
def test_the_real_data_set(monkeypatch):
    monkeypatch.setenv("VISIONLAB_DATA", str(REAL.parent))
    data = Cifar10(Cifar10Config(val_fraction=0))
    raw = data.read()
    assert raw.train.images.shape == (50_000, 3, 32, 32)
    assert raw.test.labels.bincount().tolist() == [1000] * 10
    scaled = [channel.double() / 255 for channel in raw.train.images.transpose(0, 1)]
    assert [float(channel.mean()) for channel in scaled] == pytest.approx(raw.mean, abs=5e-5)
    assert [float(channel.std()) for channel in scaled] == pytest.approx(raw.std, abs=5e-5)
    data.setup()
    assert data.fingerprint == cifar10.FINGERPRINT
    cifar10_files.CIFAR10.check_content(REAL)
