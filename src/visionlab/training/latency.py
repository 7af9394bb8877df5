"""How long a network takes for one image."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from visionlab.training.classifier import Classifier

WARM_UP, PASSES = 10, 50


@torch.inference_mode()
def latency_ms(module: Classifier, image: Tensor) -> float:
    """The median time of a prediction in milliseconds, on the device that `module` is on, in 32 bits.

    Args:
        image: (1, C, H, W), normalised.
    """
    module.eval()
    image = image.to(module.device)
    seconds = []
    for _ in range(WARM_UP + PASSES):
        started = time.perf_counter()
        module.predict(image)
        if module.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds[WARM_UP:]))
