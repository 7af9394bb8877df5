"""Where the weights of a pretrained network come from: this installation, a hub on the network, or a file."""

from __future__ import annotations

import hashlib
import pickle
import re
import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from visionlab import project
from visionlab.config.model import PretrainedConfig
from visionlab.errors import UserError
from visionlab.models.pretrained import embedded
from visionlab.models.pretrained.architecture import TORCHVISION

SUFFIXES = (".safetensors", ".pth", ".pt")  # the first one is preferred: it can hold nothing but tensors
PATIENCE = 5.0  # seconds that a hub has to answer, at whichever of its addresses
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})$")
_NESTED = ("state_dict", "model", "model_state_dict", "state_dict_ema")  # where training scripts put the weights


def check_source(config: PretrainedConfig) -> None:
    """Make sure that the weights are ones that the network could have, without loading them.

    Raises:
        UserError: embedded weights are asked for, and there are none for this network.
    """
    if config.weights == "embedded" and config.arch != embedded.ARCH and config.init_from is None:
        raise UserError(
            f"model.weights: embedded are those of model.arch={embedded.ARCH} alone, given {config.arch}; "
            f"for it there are imagenet (from the network), none (random){_files()}"
        )


def load_weights(backbone: nn.Module, config: PretrainedConfig, last: tuple[str, ...]) -> None:
    """Put the weights that `config` names into a network without its last layer.

    Args:
        last: what the names of the last layer's tensors begin with: these are left out.

    Raises:
        UserError: they cannot be had, are damaged, or are not this network's; the message says which can be had.
    """
    if config.weights == "none":
        return
    if config.weights == "embedded":
        found, source = embedded.embedded_weights(), "embedded"
    elif config.weights == "imagenet":
        found, source = _from_hub(config.arch), "imagenet"
    else:
        file = _file(config.weights)
        found, source = _read(file), str(file)
    own = backbone.state_dict()
    kept = {name: tensor for name, tensor in found.items() if name in own or not _is_of_head(name, last)}
    wrong = [f"{name} missing" for name in own if name not in kept]
    wrong += [f"{name} not known" for name in kept if name not in own]
    wrong += [
        f"{name} of shape {list(tensor.shape)} instead of {list(own[name].shape)}"
        for name, tensor in kept.items()
        if name in own and tensor.shape != own[name].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
        raise UserError(f"model.weights: expected those of {config.arch}, found others in {source}: {wrong[0]}{more}")
    backbone.load_state_dict(kept)


def _is_of_head(name: str, last: tuple[str, ...]) -> bool:
    """Whether a tensor is the last layer's, or of those beside it in a part of the network that goes with it."""
    return name.startswith(tuple(f"{layer.rpartition('.')[0] or layer}." for layer in last))


def _file(name: str) -> Path:
    """The file called `name` in the folder of weights, with a suffix or without."""
    folder = project.weights()
    names = [name] if name.endswith(SUFFIXES) else [name + suffix for suffix in SUFFIXES]
    for file in (folder / candidate for candidate in names):
        if file.is_file():
            return file
    raise UserError(
        f"model.weights: expected embedded, imagenet, none or a file in {folder} (VISIONLAB_WEIGHTS), "
        f"given {name!r}; there are embedded (of {embedded.ARCH}), none (random){_files()}"
    )


def _files() -> str:
    """The files that there are, as the end of a list."""
    folder = project.weights()
    names = sorted(file.name for file in folder.glob("*") if file.suffix in SUFFIXES) if folder.is_dir() else []
    return f" and, in {folder}, {', '.join(names)}" if names else f", and no file in {folder}"


def _read(file: Path) -> dict[str, Tensor]:
    """The tensors in a file; nothing that it may hold besides is run.

    Raises:
        UserError: its content is not what its hash says, or holds no weights.
    """
    expected, where = _expected_hash(file)
    if expected:
        with file.open("rb") as stream:
            given = hashlib.file_digest(stream, "sha256").hexdigest()
        if not given.startswith(expected):
            raise UserError(
                f"{file}: damaged, expected SHA-256 {expected} ({where}), "
                f"found {given[: len(expected)]}; fetch it again"
            )
    try:
        content: Any
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            content = load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{file}: expected weights that can be loaded without running code, found others; save a state_dict alone"
        ) from error
    except Exception as error:  # damaged files raise errors of many kinds
        reason = str(error).partition("\n")[0]
        raise UserError(f"{file}: expected weights, found what cannot be read ({reason}); fetch it again") from error
    for key in _NESTED:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{file}: expected tensors by their names, found other content")
    return content


def _expected_hash(file: Path) -> tuple[str, str]:
    """What the SHA-256 begins with, and what says so: `<file>.sha256` beside it, or the end of the file's name."""
    beside = file.with_name(f"{file.name}.sha256")
    if beside.is_file():
        words = beside.read_text().split()
        if not words or not re.fullmatch(r"[0-9a-fA-F]{64}", words[0]):
            raise UserError(f"{beside}: expected the SHA-256 of {file.name}, 64 hexadecimal digits")
        return words[0].lower(), f"by {beside.name}"
    match = _HASH_IN_NAME.search(file.stem)
    return match[1] if match else "", "by the end of its name: rename it if that is no hash"


def _from_hub(arch: str) -> dict[str, Tensor]:
    """The default weights of a network, from a hub or from what was fetched from there before."""
    return _from_torchvision(arch.removeprefix(TORCHVISION)) if arch.startswith(TORCHVISION) else _from_timm(arch)


def _from_timm(arch: str) -> dict[str, Tensor]:
    import timm
    from huggingface_hub import constants, try_to_load_from_cache

    described = timm.get_pretrained_cfg(arch)
    if described is None or not described.has_weights:
        raise UserError(f"model.weights: timm has none for {arch}; there are none (random){_files()}")
    # what is here is read here: the hub's client would ask first if there is newer, for minutes without a network
    here: dict[str, Any] = {}
    if described.hf_hub_id:
        names = ("model.safetensors", "pytorch_model.bin")
        files = [try_to_load_from_cache(described.hf_hub_id, name) for name in names]
        here = next(({"file": file, "custom_load": False} for file in files if isinstance(file, str)), {})
    if not here and not _is_fetched(str(described.url)):
        _ask(constants.ENDPOINT if described.hf_hub_id else str(described.url), arch)
    try:
        network = timm.create_model(arch, pretrained=True, num_classes=0, pretrained_cfg_overlay=here)
    except Exception as error:
        raise _unreachable(arch, error) from error
    return dict(network.state_dict())


def _from_torchvision(name: str) -> dict[str, Tensor]:
    from torchvision import models  # type: ignore[import-untyped]

    weights = models.get_model_weights(name).DEFAULT
    if not _is_fetched(weights.url):
        _ask(weights.url, f"{TORCHVISION}{name}")
    try:
        found: dict[str, Tensor] = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except Exception as error:
        raise _unreachable(f"{TORCHVISION}{name}", error) from error
    return found


def _is_fetched(url: str) -> bool:
    """Whether torch has fetched a file before, to where it will look for it first."""
    return (Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]).is_file()


def _ask(address: str, arch: str) -> None:
    """Make sure that a hub answers, as its own clients try for minutes before they give up."""
    import requests

    failures: list[Exception] = [TimeoutError()]

    def ask() -> None:
        try:
            requests.head(address, timeout=PATIENCE, allow_redirects=True).raise_for_status()
        except requests.RequestException as error:
            failures[:] = [error]
        else:
            failures.clear()

    # in a thread: the time-out is for each of a host's addresses, and not for finding out which it has
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    if failures:
        raise _unreachable(arch, failures[0]) from failures[0]


def _unreachable(arch: str, error: Exception) -> UserError:
    """One line: that the weights cannot be fetched, and which can be had."""
    others = f"model.arch={embedded.ARCH} model.weights=embedded, model.weights=none (random)"
    said = type(error).__name__
    return UserError(f"model.weights: imagenet of {arch} cannot be fetched ({said}); there are {others}{_files()}")
