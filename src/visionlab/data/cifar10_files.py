"""The files of CIFAR-10. Imports nothing heavy, so that a missing data set is known before anything heavy is loaded."""

from __future__ import annotations

from pathlib import Path

from visionlab import project
from visionlab.config.data import Cifar10Config
from visionlab.data.archive import Archive, Member

CIFAR10 = Archive(
    title="CIFAR-10",
    filename="cifar-10-python.tar.gz",
    size=170498071,
    md5="c58f30108f718f92721af3b95e74349a",
    folder="cifar-10-batches-py",
    members={
        "data_batch_1": Member(31035704, "c99cafc152244af753f735de768cd75f"),
        "data_batch_2": Member(31035320, "d4bba439e000b95fd0a9bffe97cbabec"),
        "data_batch_3": Member(31035999, "54ebc095f3ab1f0389bbae665268c751"),
        "data_batch_4": Member(31035696, "634d18415352ddfa80567beed471001a"),
        "data_batch_5": Member(31035623, "482c414d41f54cd18b22e5b47cb7c3cb"),
        "test_batch": Member(31035526, "40351d587109b95175f43aff81a1287e"),
        "batches.meta": Member(158, "5ff9c542aee3614f3951f8cda6e48888"),
    },
)


def ensure_cifar10(config: Cifar10Config) -> Path:
    """Give the folder with the batches, after fetching it if it is not on this machine.

    `VISIONLAB_DATA` may name the folder that holds `cifar-10-batches-py` or its tar file, or the batches' own folder.

    Raises:
        DataUnavailableError: it cannot be had.
        DamagedDataError: a file of it is missing or cut off.
    """
    root = project.data()
    folder = root if (root / "batches.meta").is_file() else root / CIFAR10.folder
    if folder.exists():
        CIFAR10.check_sizes(folder)
        return folder
    from visionlab.data.fetch import fetch

    return fetch(CIFAR10, config.urls, root)
