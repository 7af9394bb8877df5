"""From result pages with everything that happens on the web to a clean training set, also when killed on the way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gather.engine import Engine
from tests.gather.mixed_plan import QUERIES, mixed_plan
from visionlab import cli, project
from visionlab.data.listing import list_images
from visionlab.gather.manifest import Row, manifest_fingerprint, read_manifest

# the reasons that the manifest may give for each kind of item
REASONS = {
    "http error": {"HTTP 404", "HTTP 403"},
    "no connection": {"not reachable", "cut off"},
    "redirect loop": {"too many redirects"},
    "forbidden host": {"private address", "not an http address"},
    "too slow": {"too slow"},
    "too large": {"too many bytes"},
    "truncated": {"truncated"},
    "bomb": {"decompression bomb"},
    "tiny": {"too small"},
    "aspect": {"extreme aspect"},
    "blank": {"blank"},
    "animated": {"animated"},
    "not an image": {"not an image"},
    "class conflict": {"in several classes"},
    "leak": {"copy of a test image"},
    "leak crop": {"copy of a test image"},
}
FAST = [
    "gather.politeness.download_seconds=1.5",
    "gather.politeness.silence_seconds=1",
    "gather.politeness.retries=2",
    "gather.politeness.max_megabytes=2",
    "gather.politeness.requests_per_second=10000",
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(mixed_plan()) as engine:
        yield engine


@pytest.fixture(autouse=True)
def no_key_of_flickr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Path]:
    """The data set as it is when all was gathered; the first test sees it as it was left by that."""
    data = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONLAB_DATA", str(data))
        patch.delenv("FLICKR_API_KEY", raising=False)
        engine.write_held_out(data / "catdog" / "test")
        cli.main(words(engine))
        yield project.data() / "catdog"


@pytest.fixture
def root(gathered: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISIONLAB_DATA", str(gathered.parent))
    return gathered


def words(engine: Engine) -> list[str]:
    queries = [f"gather.classes.{label}.queries=[{','.join(map(repr, asked))}]" for label, asked in QUERIES.items()]
    return ["gather", *engine.overrides(), *FAST, *queries]


def test_every_good_image_is_kept_and_every_bad_one_is_dropped_for_its_reason(engine: Engine, root: Path) -> None:
    rows = read_manifest(root)
    by_url: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_url[row.image_url].append(row)
    assert set(by_url) == set(engine.expected)

    kept: Counter[str] = Counter()
    wrong = []
    for url, item in engine.expected.items():
        for row in by_url[url]:
            if item.kind in REASONS:
                if row.decision == "keep" or row.reason not in REASONS[item.kind]:
                    wrong.append((item.path, item.kind, row.decision, row.reason))
            elif item.group:
                kept[item.group] += row.decision == "keep"
                if row.decision == "drop" and row.reason not in ("exact duplicate", "near duplicate"):
                    wrong.append((item.path, item.kind, row.decision, row.reason))
            elif row.decision != "keep":
                wrong.append((item.path, item.kind, row.decision, row.reason))
    assert wrong == []
    assert set(kept.values()) == {1}

    # the folders hold what the manifest says, and can be trained on as they are
    placed = set(_files(root))
    assert placed == {row.file for row in rows if row.file}
    assert {name for name in placed if name.startswith("train/")} == {
        row.file for row in rows if row.decision == "keep"
    }
    listing = list_images(root)
    assert listing.classes == ("cat", "dog")
    assert sum(file.split == "train" for file in listing.files) == sum(row.decision == "keep" for row in rows)
    # the page that a source tells, and its licence
    assert all(row.page_url and row.licence for row in rows if row.source == "openverse")
    assert not any(request.host.startswith("localhost") for request in engine.requests)


def test_the_status_is_the_manifest_in_numbers(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = read_manifest(root)
    cli.main(["gather", "--status"])
    (together,) = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("together")][:1]
    kept = sum(row.decision == "keep" for row in rows)
    fetched = sum(bool(row.sha256) for row in rows)
    assert together[1:] == [str(number) for number in (len(rows), fetched, kept, len(rows) - kept)]


def test_a_contact_sheet_is_drawn_of_each_class_and_each_reason(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = read_manifest(root)
    cli.main(["gather", "--contact-sheet"])
    drawn = {file.stem for file in (root / "contact_sheets").glob("*.png")}
    reasons = {row.reason for row in rows if row.file and row.decision == "drop"}
    assert {"kept, cat", "kept, dog", "dropped, near duplicate", "dropped, copy of a test image"} <= drawn
    assert drawn - {"kept, cat", "kept, dog"} <= {f"dropped, {reason}" for reason in reasons}
    assert "dropped, not an image" not in drawn
    assert all(f"{name}.png" in capsys.readouterr().out for name in sorted(drawn)[:1])


def test_what_a_person_decides_counts_on_the_next_run_without_the_network(
    engine: Engine, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, asked = read_manifest(root), len(engine.requests)
    first, second = [row for row in before if row.decision == "keep"][:2]
    duplicate = next(row for row in before if row.reason == "near duplicate" and row.file)
    small = next(row for row in before if row.reason == "too small")
    (root / first.file).unlink()
    (root / "decisions.csv").write_text(
        f"file,decision\n{second.file},drop\n{duplicate.file},keep\n{small.file},keep\n"
    )
    cli.main([*words(engine), "--offline"])
    name = small.file.partition("small/")[2]
    assert f"decisions.csv: {name} cannot be kept: too small\n" in capsys.readouterr().err
    after = {row.image_url: row for row in read_manifest(root)}
    assert (after[first.image_url].reason, after[second.image_url].reason) == ("by hand", "by hand")
    assert after[duplicate.image_url].decision == "keep"
    assert (root / after[duplicate.image_url].file).exists()
    assert len(engine.requests) == asked
    changed = {row.image_url for row in before if row != after[row.image_url] and not row.detail}
    assert changed <= {first.image_url, second.image_url}


def test_what_would_end_it_after_the_crawl_ends_it_before(
    engine: Engine, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = len(engine.requests)
    (root / "train" / "cat" / "mine.jpg").write_text("mine")
    with pytest.raises(SystemExit):
        cli.main(words(engine))
    (root / "train" / "cat" / "mine.jpg").unlink()
    assert "mine.jpg: was not put there" in capsys.readouterr().err
    assert len(engine.requests) == asked


@pytest.mark.parametrize("name", ["''", '"a\\0b"', "../x", ".hidden", "'a '", "a/b", "CON:", "x" * 81])
def test_a_class_has_a_name_that_can_be_a_folder(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main(["gather", f"gather.classes={{{name}: {{queries: [a]}}, dog: {{queries: [b]}}}}", "--status"])
    assert raised.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_nothing_to_decide_about_is_answered_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["gather", "gather.name=nothing", "--offline"])
    assert "nothing: expected what an earlier `visionlab gather` has fetched" in capsys.readouterr().err
    assert not (project.data() / "nothing").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_any_moment_it_comes_to_the_same_manifest(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONLAB_DATA", str(tmp_path))
    root = tmp_path / "catdog"
    engine.write_held_out(root / "test")
    cli.main(words(engine))
    calm = manifest_fingerprint(root)
    generator = random.Random(0)
    killed = 0
    interrupted = tmp_path / "interrupted"
    engine.write_held_out(interrupted / "catdog" / "test")
    environment = os.environ | {"VISIONLAB_DATA": str(interrupted)}
    while True:
        process = subprocess.Popen(
            [sys.executable, "-m", "visionlab", *words(engine)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        folder = interrupted / "catdog" / ".gather"
        began = folder.exists() and sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        end = time.monotonic() + 60
        # it has set to work again: what lies there has changed
        while process.poll() is None and time.monotonic() < end:
            there = folder.exists() and sum(_size(file) for file in folder.rglob("*"))
            if there != began:
                break
            time.sleep(0.01)
        if killed < 8:
            time.sleep(generator.uniform(0, 0.6 * (killed + 1)))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                killed += 1
                process.wait()
                continue
        assert process.wait(120) == 0
        break
    assert killed >= 3
    assert manifest_fingerprint(interrupted / "catdog") == calm
    assert sorted(_files(interrupted / "catdog")) == sorted(_files(root))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _files(root: Path) -> list[str]:
    return [
        file.relative_to(root).as_posix()
        for name in ("train", "rejected")
        for file in (root / name).rglob("*")
        if file.is_file() and not file.name.startswith(".")
    ]
