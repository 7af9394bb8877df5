"""What there is to train on, and whether 16 bits are faster there."""

from __future__ import annotations

import time

import pynvml
import torch
from torch import nn

from visionlab.config.trainer import TrainerConfig
from visionlab.doctor.finding import Finding, ok, warning
from visionlab.tracking.provenance import cpu_name
from visionlab.training import hardware

GIGABYTE = 1e9
ROUNDS, REPEATS = 3, 6
MOST_SECONDS = 1.0  # where 16 bits are emulated, they take long
CLEAR = 1.15  # a gain that is more than noise


def check_devices() -> Finding:
    """Processor and GPUs. A GPU that only the driver sees would be left idle without a word."""
    names = [cpu_name()]
    usable = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for number in range(usable):
        memory = torch.cuda.get_device_properties(number).total_memory / GIGABYTE
        names.append(f"{torch.cuda.get_device_name(number)}, {memory:.0f} GB")
    if torch.backends.mps.is_available():
        names.append("Apple GPU")
    text = "; ".join(names)
    present = _gpus_of_the_driver()
    if present > usable:
        return warning(
            f"{text}; of {present} NVIDIA GPUs torch {torch.__version__} can use {usable}",
            "look at CUDA_VISIBLE_DEVICES and the driver; `make setup TORCH_BACKEND=auto` picks torch's build",
        )
    return ok(text)


def check_bf16() -> Finding:
    """Whether `trainer.precision=auto` picks what is faster: two convolutions in both precisions."""
    settings = hardware.resolve(TrainerConfig(devices=1))
    gain = _gain(torch.device("cuda" if settings.accelerator == "gpu" else settings.accelerator))
    text = f"{gain:.1f} times as fast as 32 bits in convolutions; trainer.precision=auto is {settings.precision} here"
    if gain > CLEAR and settings.precision == "32-true":
        return warning(text, "try trainer.precision=bf16-mixed")
    if gain < 1 / CLEAR and settings.precision == "bf16-mixed":
        return warning(text, "look again when the machine is not busy; then try trainer.precision=32-true")
    return ok(text)


def _gain(device: torch.device) -> float:
    """How many times as fast convolutions are under bf16 autocast, forward, by the shortest time of several each."""
    images = 32 if device.type == "cpu" else 512  # enough that the arithmetic outweighs the launching
    layers = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)).to(device)
    layers.to(memory_format=torch.channels_last)
    batch = torch.rand(images, 64, 32, 32, device=device).to(memory_format=torch.channels_last)
    if device.type == "cpu":
        hardware.keep_freed_memory()  # as training does: what allocating costs else differs from process to process
    shortest = {False: float("inf"), True: float("inf")}
    end = time.perf_counter() + MOST_SECONDS
    with torch.inference_mode():
        for bf16 in (False, True) * ROUNDS:  # in turn, so that what else the machine does slows both
            for _ in range(REPEATS):
                start = time.perf_counter()
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    float(layers(batch)[0, 0, 0, 0])  # waits for the device
                shortest[bf16] = min(shortest[bf16], time.perf_counter() - start)
            if bf16 and time.perf_counter() > end:
                break
    return shortest[False] / shortest[True]


def _gpus_of_the_driver() -> int:
    """How many NVIDIA GPUs the driver sees; none where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return 0
    try:
        return int(pynvml.nvmlDeviceGetCount())
    finally:
        pynvml.nvmlShutdown()
