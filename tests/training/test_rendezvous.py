"""The store that processes meet at has its port before anybody is told of it, and no other machine reaches it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
import pytest
import torch.distributed

from tests.property.ranks import in_ranks
from visionlab.training.lifeline import LOOPBACK
from visionlab.training.rendezvous import make_store


def listening(port: int) -> list[str]:
    """The addresses that this process listens at on a port."""
    return [
        found.laddr.ip
        for found in psutil.Process().net_connections()
        if found.status == psutil.CONN_LISTEN and found.laddr.port == port
    ]


def test_its_port_is_taken_before_it_is_told_and_on_this_machine_alone() -> None:
    store = make_store()
    assert listening(store.port) == [LOOPBACK]
    with pytest.raises(OSError, match="in use"):
        socket.create_server((LOOPBACK, store.port)).close()


def test_torch_goes_on_with_it(tmp_path: Path) -> None:
    def work(rank: int) -> tuple[list[str], bytes]:
        store = make_store()
        store.set("left here", "before")
        os.environ |= {"MASTER_ADDR": LOOPBACK, "MASTER_PORT": str(store.port)}
        torch.distributed.init_process_group("gloo")
        again = torch.distributed.TCPStore(LOOPBACK, store.port)  # type: ignore[attr-defined]
        return listening(store.port), again.get("left here")

    assert in_ranks(1, work, tmp_path) == [([LOOPBACK], b"before")]
