"""Weights from this installation, from files and from hubs: checked, or refused in a line that says what there is."""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import torch
from safetensors.torch import save_file
from torch import Tensor

from visionlab.config.model import PretrainedConfig
from visionlab.errors import UserError
from visionlab.models.pretrained import weights
from visionlab.models.pretrained.embedded import embedded_weights
from visionlab.models.pretrained.network import Pretrained

ARCH = "test_resnet"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "weights"
    found.mkdir()
    monkeypatch.setenv("VISIONLAB_WEIGHTS", str(found))
    return found


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    """Of a whole network with a last layer for other classes."""
    import timm

    torch.manual_seed(1)
    return dict(timm.create_model(ARCH, pretrained=False, num_classes=9).state_dict())


def load(source: str, arch: str = ARCH) -> Pretrained:
    config = PretrainedConfig(arch=arch, weights=source)
    network = Pretrained(config, in_channels=3, image_size=(32, 32), num_classes=4)
    network.load_pretrained()
    return network


def assert_loaded(network: Pretrained, expected: dict[str, Tensor]) -> None:
    for name, tensor in network.backbone.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_embedded_weights_ask_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a hub was asked")

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("socket.getaddrinfo", refused)
    assert_loaded(load("embedded", "tf_efficientnet_lite0"), embedded_weights())


@pytest.mark.parametrize("name", ["mine.safetensors", "mine.pth", "mine"])
def test_a_file_in_the_folder_of_weights(name: str, folder: Path, tensors: dict[str, Tensor]) -> None:
    file = folder / (name if "." in name else f"{name}.safetensors")
    if file.suffix == ".pth":
        torch.save({"epoch": 3, "state_dict": tensors}, file)
    else:
        save_file(tensors, file)
    assert_loaded(load(name), tensors)


def test_of_two_files_the_one_that_can_hold_nothing_but_tensors_is_taken(
    folder: Path, tensors: dict[str, Tensor]
) -> None:
    torch.save({name: tensor + 1 for name, tensor in tensors.items()}, folder / "mine.pth")
    save_file(tensors, folder / "mine.safetensors")
    assert_loaded(load("mine"), tensors)


@pytest.mark.parametrize("where", ["beside", "in the name"])
def test_a_file_that_is_not_what_its_hash_says_is_refused(where: str, folder: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, folder / "mine.safetensors")
    digest = hashlib.sha256((folder / "mine.safetensors").read_bytes()).hexdigest()
    name = "mine.safetensors" if where == "beside" else f"mine-{digest[:8]}.safetensors"
    (folder / "mine.safetensors").replace(folder / name)
    if where == "beside":
        (folder / f"{name}.sha256").write_text(f"{digest}  {name}\n")
    assert_loaded(load(name), tensors)
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"mine.*: damaged, expected SHA-256 .*fetch it again"):
        load(name)


def test_a_number_at_the_end_of_a_name_is_said_to_be_taken_for_a_hash(folder: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, folder / "mine-20261124.safetensors")
    with pytest.raises(UserError, match=r"expected SHA-256 20261124 .*rename it if that is no hash"):
        load("mine-20261124")


@pytest.mark.parametrize("name", ["mine.safetensors", "mine.pth"])
def test_a_part_of_a_file_is_said_to_be_unreadable(name: str, folder: Path, tensors: dict[str, Tensor]) -> None:
    if name.endswith(".pth"):
        torch.save(tensors, folder / name)
    else:
        save_file(tensors, folder / name)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=rf"{name}: expected weights, found what cannot be read \(.*\); fetch it again"):
        load(name)


@pytest.mark.parametrize("arch", ["efficientvit_m0", "torchvision/googlenet"])
def test_what_goes_with_the_last_layer_alone_is_left_out(arch: str, folder: Path) -> None:
    import timm
    from torchvision import models  # type: ignore[import-untyped]

    torch.manual_seed(1)
    whole = (
        models.get_model("googlenet", weights=None, init_weights=False)
        if arch.startswith("torchvision")
        else timm.create_model(arch, pretrained=False)
    )
    save_file(whole.state_dict(), folder / "mine.safetensors")
    config = PretrainedConfig(arch=arch, weights="mine")
    built = Pretrained(config, in_channels=3, image_size=(224, 224), num_classes=4)
    built.load_pretrained()
    assert_loaded(built, whole.state_dict())


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("trapped",)


def test_nothing_in_a_file_is_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    torch.save({"weight": Trap()}, folder / "mine.pth")
    with pytest.raises(UserError, match="expected weights that can be loaded without running code"):
        load("mine.pth")
    assert not (folder / "trapped").exists()


def test_weights_of_another_network_are_refused(folder: Path, tensors: dict[str, Tensor]) -> None:
    save_file({"conv1.weight": torch.zeros(1)}, folder / "mine.safetensors")
    with pytest.raises(UserError, match=rf"expected those of {ARCH}, found others in .*: \S+ missing and [\d,]+ more"):
        load("mine")
    name = next(name for name, tensor in tensors.items() if tensor.ndim == 4)
    save_file(tensors | {name: torch.zeros(1, 2)}, folder / "mine.safetensors")
    with pytest.raises(UserError, match=r"of shape \[1, 2\] instead of"):
        load("mine")


def test_a_name_that_is_no_file_is_answered_with_what_there_is(folder: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, folder / "mine.safetensors")
    with pytest.raises(UserError) as caught:
        load("yours")
    assert "given 'yours'" in str(caught.value)
    assert str(caught.value).endswith(f"none (random) and, in {folder}, mine.safetensors")


@pytest.fixture
def deaf_hub() -> Iterator[str]:
    """The address of a hub that answers nothing but errors."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(503)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("arch", ["resnet18", "torchvision/resnet18"])
@pytest.mark.parametrize("hub", ["errors", "nobody"])
def test_a_hub_that_cannot_be_reached_is_said_at_once_with_what_can_be_had(
    arch: str, hub: str, deaf_hub: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = deaf_hub if hub == "errors" else "http://127.0.0.1:9"
    usual = weights._ask
    monkeypatch.setattr(weights, "_ask", lambda _, arch: usual(address, arch))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder / "nothing"))
    with pytest.raises(UserError) as caught:
        load("imagenet", arch)
    said = str(caught.value)
    assert said.startswith(f"model.weights: imagenet of {arch} cannot be fetched")
    assert "model.arch=tf_efficientnet_lite0 model.weights=embedded" in said
    assert "\n" not in said


@pytest.mark.parametrize("arch", ["resnet18", "torchvision/resnet18"])
def test_a_hub_that_never_answers_is_waited_for_once_and_not_at_each_address(
    arch: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PATIENCE", 0.2)
    over = threading.Event()

    def silence(*_: object, **__: object) -> None:  # as of one with many addresses
        over.wait(60)
        raise requests.ConnectionError

    monkeypatch.setattr("requests.head", silence)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder / "nothing"))
    with pytest.raises(UserError, match=re.escape("cannot be fetched (TimeoutError); there are model.arch=")):
        load("imagenet", arch)
    over.set()  # the thread that asks ends with the test


def test_what_was_fetched_from_the_hub_before_is_loaded_without_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm

    torch.manual_seed(1)
    whole = timm.create_model("resnet18", pretrained=False).state_dict()
    save_file(whole, folder / "model.safetensors")

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a hub was asked")

    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda _, name: str(folder / name) if name[0] == "m" else None
    )
    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("socket.getaddrinfo", refused)
    assert_loaded(load("imagenet", "resnet18"), whole)
