"""How much memory this process may still take, of the machine's and of a GPU's."""

from __future__ import annotations

from pathlib import Path

import psutil

CGROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def available_memory() -> int:
    """Bytes: what this machine has left, or less, where a limit of the process or of its control group leaves less.

    What the file system keeps in memory counts as available, as it is given up at need.
    """
    return max(0, min([psutil.virtual_memory().available, *_left_by_process_limits(), *_left_by_groups()]))


def available_on_gpu(index: int | None) -> int:
    """Bytes: what a GPU has left, with what this process keeps there for tensors to come; None is the current GPU."""
    import torch  # takes memory itself, and is not wanted where there is no GPU

    left, _ = torch.cuda.mem_get_info(index)
    return left + torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)


def _left_by_process_limits() -> list[int]:
    """What `ulimit -v` and `ulimit -d` leave, as far as they are set."""
    process = psutil.Process()
    if not hasattr(process, "rlimit"):  # Linux only
        return []
    used = process.memory_info()
    limits = ((process.rlimit(psutil.RLIMIT_AS), used.vms), (process.rlimit(psutil.RLIMIT_DATA), used.data))
    return [limit - size for (limit, _), size in limits if limit != psutil.RLIM_INFINITY]


def _left_by_groups() -> list[int]:
    """What the control groups (version 2) of this process leave, such as those of a container or a cluster's job."""
    try:
        _, _, path = MEMBERSHIP.read_text().strip().rpartition("::/")
    except OSError:
        return []
    group = CGROUPS / path
    found = []
    for folder in (group, *group.parents):
        try:
            limit = int((folder / "memory.max").read_text())
            used = int((folder / "memory.current").read_text())
            kept = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # no group, or no limit: the word max
            continue
        found.append(limit - used + int(kept.get("inactive_file", 0)) + int(kept.get("active_file", 0)))
    return found
