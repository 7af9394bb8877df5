"""What was written is there, in order, whatever happens to the process that wrote it."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import resource
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from visionlab.tracking import journal
from visionlab.tracking.journal import Journal


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / journal.FILE_NAME


def test_records_come_back_in_order_with_rising_times(file: Path) -> None:
    writer = Journal(file)
    for step in range(5):
        writer.metrics(step, {"loss": step / 3})
    records, offset = journal.read(file)
    assert [record["step"] for record in records] == list(range(5))
    assert [record["values"]["loss"] for record in records] == [step / 3 for step in range(5)]
    assert [record["time"] for record in records] == sorted(record["time"] for record in records)
    assert offset == file.stat().st_size


def test_every_line_is_strict_json_even_of_values_that_are_no_numbers(file: Path) -> None:
    Journal(file).metrics(3, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1e-300})
    (line,) = file.read_text().splitlines()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(line, parse_constant=refuse)
    values = journal.read(file)[0][0]["values"]
    assert math.isnan(values["a"])
    assert (values["b"], values["c"], values["d"]) == (math.inf, -math.inf, 1e-300)


def test_reading_goes_on_where_it_stopped(file: Path) -> None:
    writer = Journal(file)
    writer.metrics(1, {"loss": 1})
    writer.metrics(2, {"loss": 2})
    first, offset = journal.read(file, limit=1)
    writer.metrics(3, {"loss": 3})
    rest, end = journal.read(file, offset)
    assert [record["step"] for record in first + rest] == [1, 2, 3]
    assert journal.read(file, end) == ([], end)


def test_an_unfinished_line_is_left_for_later_and_dropped_when_writing_goes_on(file: Path) -> None:
    Journal(file).metrics(1, {"loss": 1})
    with file.open("ab") as stream:
        stream.write(b'{"kind": "metrics", "st')
    assert [record["step"] for record in journal.read(file)[0]] == [1]
    assert journal.last(file) is not None
    Journal(file).metrics(2, {"loss": 2})
    assert [record["step"] for record in journal.read(file)[0]] == [1, 2]


@pytest.mark.parametrize("padding", [0, 5_000, 2_000_000])
def test_the_last_record_is_found_from_the_end(file: Path, padding: int) -> None:
    writer = Journal(file)
    assert journal.last(file) is None
    writer.append("start", text="x" * padding)
    assert (journal.last(file) or {})["kind"] == "start"
    writer.append("status", status="FINISHED", text="y" * (padding // 2))
    assert (journal.last(file) or {})["status"] == "FINISHED"


def test_a_process_killed_in_the_middle_loses_nothing_that_it_wrote(file: Path) -> None:
    def write() -> None:
        writer = Journal(file)
        for step in range(1000):
            writer.metrics(step, {"loss": step})
        os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=write)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert [record["step"] for record in journal.read(file)[0]] == list(range(1000))


def test_a_full_disk_is_an_error_and_leaves_no_half_line(file: Path) -> None:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        writer = Journal(file)
        writer.metrics(1, {"loss": 1})
        size = file.stat().st_size
        # room for another line, but not for all of the next
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * size + 5, 2 * size + 5))
        writer.metrics(2, {"loss": 1})
        try:
            writer.metrics(3, {"loss": 1})
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert file.read_bytes().endswith(b"\n")
    assert [record["step"] for record in journal.read(file)[0]] == [1, 2]


def test_threads_that_write_at_once_write_whole_lines(file: Path) -> None:
    writer = Journal(file)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda step: writer.metrics(step, {"loss": step, "x" * 200: 1}), range(400)))
    assert sorted(record["step"] for record in journal.read(file)[0]) == list(range(400))


def test_no_thread_has_a_word_after_the_last_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()
    usual = Journal.close

    def close(self: Journal) -> None:
        begun.set()
        time.sleep(0.2)  # for the other thread to come in between, if it can
        usual(self)

    monkeypatch.setattr(Journal, "close", close)
    writer = Journal(file)
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(lambda: begun.wait(10) and writer.metrics(1, {"train/loss": 0.5}))
        writer.end("FAILED", {"error.class": "RankError"})
        with pytest.raises(ValueError, match="closed file"):
            other.result()
    last = journal.last(file)
    assert last is not None
    assert (last["kind"], last["status"]) == ("status", "FAILED")


def test_the_last_step_of_each_metric_is_known(file: Path) -> None:
    writer = Journal(file)
    assert journal.last_steps(file) == {}
    writer.metrics(1, {"a": 1, "b": 1})
    writer.metrics(5, {"a": 1})
    writer.append("artifact", file="x")
    assert journal.last_steps(file) == {"a": 5, "b": 1}


def test_a_name_that_is_no_utf_8_is_recorded_all_the_same(file: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    Journal(file).append("artifact", file=name)
    assert journal.read(file)[0][0]["file"] == name
