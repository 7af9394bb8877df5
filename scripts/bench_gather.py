"""What gathering a data set costs.

    python scripts/bench_gather.py
    python scripts/bench_gather.py --parts leaks --images 25000

crawl  images a second through our crawl and through icrawler's own, from the same list on the same server
cache  images a second decoded into the data set's cache, and by one process with Pillow
leaks  the search for copies of test images among gathered ones, both so many, from hashes and thumbnails
recall  how many altered copies of real photos are found, where --photos and --others name two folders of photos
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bench_lib import positive
from gather_cache import measure_cache
from gather_crawl import measure_crawl
from gather_leaks import measure_leaks
from gather_recall import measure_recall

from visionlab.tracking.provenance import cpu_name

PARTS = ["crawl", "cache", "leaks"]
RECALL = "recall"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=[*PARTS, RECALL], default=PARTS)
    parser.add_argument("--rounds", type=positive, default=7, help="of crawl and cache (default 7)")
    parser.add_argument("--fetched", type=positive, default=3000, help="images of crawl and cache (default 3000)")
    parser.add_argument("--images", type=positive, default=25_000, help="of leaks, on each side (default 25000)")
    parser.add_argument("--photos", type=Path, help="of recall: a folder of photos, of which copies are made")
    parser.add_argument("--others", type=Path, help="of recall: a folder of other photos")
    arguments = parser.parse_args()
    if RECALL in arguments.parts and not (arguments.photos and arguments.others):
        parser.error("--parts recall: expected --photos FOLDER --others FOLDER, given one of them or none")
    print(f"{cpu_name()}, {os.cpu_count()} processors", flush=True)
    if "crawl" in arguments.parts:
        measure_crawl(arguments.fetched, arguments.rounds)
    if "cache" in arguments.parts:
        measure_cache(arguments.fetched, arguments.rounds)
    if "leaks" in arguments.parts:
        measure_leaks(arguments.images)
    if RECALL in arguments.parts:
        measure_recall(arguments.photos, arguments.others, 500)


if __name__ == "__main__":
    main()
