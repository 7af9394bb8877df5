"""The page of a run: what is on it, whatever the run has come to, and that it needs nothing but itself."""

from __future__ import annotations

import re

import pytest

from tests.figures.made import ODD_NAMES, make_run
from tests.reports.test_page import Reader
from visionlab.errors import UserError
from visionlab.figures.gallery import draw_from_disk
from visionlab.reports.run import write_run_page
from visionlab.tracking.run import Run

LOADING = {"src", "href", "srcset", "poster", "data", "action", "background", "xlink:href"}


def read(run: Run) -> Reader:
    return Reader(write_run_page(run).read_text(encoding="utf-8"))


def headings(page: Reader) -> list[str]:
    titles = ["Result", "Setting", "Learning curves", "Confusion", "Classes", "Ranking", "Calibration"]
    titles += ["Hardest images", "What the network sees", "Other pictures", "Data", "Provenance"]
    return [text for text in page.texts if text in titles]


def test_a_tested_run_has_results_setting_pictures_data_and_provenance() -> None:
    run = make_run("optimizer.lr=0.0123", "data.augment.cutout=3")
    draw_from_disk(run)
    page = read(run)
    assert headings(page) == [
        "Result", "Setting", "Learning curves", "Confusion", "Classes", "Ranking", "Calibration", "Data", "Provenance",
    ]  # fmt: skip
    accuracy = f"{run.report()['test']['accuracy']:.2%}".replace("%", "\N{NO-BREAK SPACE}%")
    assert {accuracy, "70.00\N{NO-BREAK SPACE}%", "3 of 15", "75.0 s", "12,345", "finished"} <= set(page.texts)
    assert {"optimizer.lr", "0.0123", "data.augment.cutout", "the whole configuration"} <= set(page.texts)
    assert {"c0ffee", "lab-7", "true", "f1f1", "broken"} <= set(page.texts)
    assert sum(tag == "img" for tag, _ in page.tags) == 6


def test_the_table_of_classes_has_rates_counts_and_what_each_is_taken_for() -> None:
    run = make_run(images=300, strength=1.0)
    page = write_run_page(run).read_text(encoding="utf-8")
    report = run.report()
    row = report["confusion"][0]
    other = max((1, 2), key=lambda label: row[label])
    rates = "".join(
        f"<td>{100 * report['per_class'][rate][0]:.2f}\N{NO-BREAK SPACE}%</td>"
        for rate in ("precision", "recall", "f1")
    )
    name = report["classes"][other]
    words = f'<td class="words">cat</td><td class="words">{name} ({row[other]})</td>'
    assert f"{words}<td>{sum(row)}</td>{rates}<td>undefined</td>" in page


@pytest.mark.parametrize(("status", "word"), [("KILLED", "stopped"), ("FAILED", "failed"), (None, "running")])
def test_a_run_without_test_has_a_page_of_what_there_is(status: str | None, word: str) -> None:
    run = make_run(tested=False, status=status)
    draw_from_disk(run)
    page = read(run)
    assert headings(page) == ["Result", "Setting", "Learning curves", "Data", "Provenance"]
    assert word in page.texts
    assert "validation accuracy" in page.texts
    assert "test accuracy" not in page.texts
    assert "70.00\N{NO-BREAK SPACE}%" in page.texts
    assert ("<b>no</b>" in page.texts) == (status == "FAILED")


def test_a_run_that_has_only_begun_has_a_page() -> None:
    page = read(make_run(tested=False, epochs=0, status=None))
    assert headings(page) == ["Result", "Setting", "Data", "Provenance"]


def test_a_run_that_was_taken_up_again_says_so() -> None:
    run = make_run(tested=False, status=None)
    writer = run.journal()
    writer.append("resume", step=60, tags={"resumed.trainer.max_epochs": "3 -> 9"})
    writer.close()
    assert {"trainer.max_epochs: 3 -> 9", "60"} <= set(read(run).texts)


def test_odd_names_of_classes_stay_text_and_nothing_is_loaded_from_elsewhere() -> None:
    run = make_run(classes=ODD_NAMES, images=200)
    draw_from_disk(run)
    page = read(run)
    assert all(name in page.texts for name in ODD_NAMES)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), tag
            assert name not in LOADING or (value or "").startswith("data:image/png;base64,"), tag
    html = (run.path / "report.html").read_text(encoding="utf-8")
    style = html[html.index("<style>") : html.index("</style>")]
    assert not re.search(r"url\(|@import|http", style)


def test_a_picture_of_ones_own_is_shown_too() -> None:
    run = make_run()
    draw_from_disk(run)
    (run.figures / "roc.png").rename(run.figures / "my_picture.png")
    page = read(run)
    assert "Other pictures" in headings(page)
    assert sum(tag == "img" for tag, _ in page.tags) == 6


def test_of_two_classes_the_positive_one_is_named() -> None:
    run = make_run("data.positive_class=cat", classes=("cat", "dog"))
    assert any("those of the class “cat”" in text for text in read(run).texts)


def test_many_classes_are_folded_away() -> None:
    run = make_run(classes=[f"class {i}" for i in range(40)], images=200)
    texts = read(run).texts
    assert {"class by class (40)", "images of each class (40)"} <= set(texts)


def test_a_folder_that_is_no_runs_is_refused() -> None:
    run = make_run()
    run.journal_file.unlink()
    with pytest.raises(UserError, match="expected the folder of a run"):
        write_run_page(run)
