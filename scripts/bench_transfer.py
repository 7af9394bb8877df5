"""What transfer learning costs and gives.

    VISIONLAB_DATA=data python scripts/bench_transfer.py
    python scripts/bench_transfer.py --parts cache --images 3000
    python scripts/bench_transfer.py --parts methods sizes --pictures docs/images

cache    a linear probe on cached features against one that computes them in every epoch: seconds an epoch, and results
methods  CIFAR-10 from scratch, by a linear probe and by a fine-tune: accuracy against training time
sizes    the same from scratch and by a linear probe on 1, 5, 20 and 100 per cent of the training images
"""

from __future__ import annotations

import argparse
import os
from importlib.metadata import version
from pathlib import Path

from bench_lib import positive
from transfer_cache import measure_cache
from transfer_methods import measure_methods
from transfer_sizes import measure_sizes

from visionlab.tracking.provenance import cpu_name

PARTS = ["cache", "methods", "sizes"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--images", type=positive, default=1000, help="of CIFAR-10, of cache (default 1000)")
    parser.add_argument("--epochs", type=positive, default=5, help="counted, of cache (default 5)")
    parser.add_argument("--pictures", type=Path, help="a folder, for the pictures of methods and sizes")
    arguments = parser.parse_args()
    print(f"{cpu_name()}, {os.cpu_count()} processors; torch {version('torch')}, timm {version('timm')}", flush=True)
    if "cache" in arguments.parts:
        measure_cache(arguments.images, arguments.epochs)
    if "methods" in arguments.parts:
        measure_methods(arguments.pictures)
    if "sizes" in arguments.parts:
        measure_sizes(arguments.pictures)


if __name__ == "__main__":
    main()
