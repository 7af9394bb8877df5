"""The page of a campaign: what is on it for each kind, and that it needs nothing but itself."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from tests.figures.campaign.made import (
    ACCURACY,
    PARAMETERS,
    finished,
    make_grid,
    make_repeats,
    make_results,
    make_search,
)
from tests.figures.made import ODD_NAMES
from tests.reports.test_page import Reader
from tests.reports.test_run import LOADING
from visionlab.campaigns.findings import findings
from visionlab.campaigns.results import Child, Results
from visionlab.config.load import load_train_config
from visionlab.figures.campaign.gallery import draw
from visionlab.figures.confusion import save_confusion
from visionlab.reports.campaign import write_campaign_page

TITLES = ("Result", "Best", "Progress", "Spread", "Trade-off", "Settings", "Confusion", "Other pictures")
TITLES += ("Runs", "Failures", "Setting", "Provenance")
ORIGIN = {"kind": "start", "time": 1_700_000_000_000, "tags": {"git.commit": "c0ffee", "host": "lab-7"}}


def write(folder: Path, results: Results, **content: Any) -> str:
    """The HTML of a page."""
    base = load_train_config(["experiment=digits", "optimizer.lr=0.0123"])
    given = {"state": "finished", "base": base, "command": "visionlab tune study=<made>", "origin": ORIGIN}
    return write_campaign_page(folder, results, **given | content).read_text(encoding="utf-8")


def read(folder: Path, results: Results, **content: Any) -> list[str]:
    """The texts of a page, with plain spaces."""
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in Reader(write(folder, results, **content)).texts]


def sections(texts: list[str]) -> list[str]:
    return [text for text in texts if text in TITLES]


def test_a_search_has_result_best_pictures_runs_failures_setting_and_provenance(tmp_path: Path) -> None:
    results = make_search()
    draw(results, tmp_path / "figures")
    texts = read(tmp_path, results, notes=["Time was up."])
    assert sections(texts) == [
        "Result", "Best", "Progress", "Settings", "Runs", "Failures", "Setting", "Provenance",
    ]  # fmt: skip
    best = results.best
    assert best is not None
    value = f"{100 * best.values[0]:.2f} %"
    assert {"made", "finished", f"Tune, 23 of 30 configurations finished; best validation accuracy {value}"} <= set(
        texts
    )
    assert {value, "23 of 30", "4", "5 min"} <= set(texts)
    assert " ".join(findings(results)).replace("\N{NO-BREAK SPACE}", " ") in texts
    assert "Time was up." in texts
    assert f"Run {best.number:03}, with run id {best.run}:" in texts
    assert "visionlab train campaign_best=made" in texts
    assert str(best.settings["optimizer.lr"]) in texts
    assert "visionlab tune study=<made>" in texts
    assert {"0.0001 to 0.1, by orders of magnitude", "8 to 128", "sgd, muon"} <= set(texts)
    assert {"c0ffee", "lab-7", "the whole configuration", "maximize"} <= set(texts)
    assert any("The numbers: figures/parallel.csv" in text for text in texts)


def test_every_run_is_in_the_table_with_what_it_came_to(tmp_path: Path) -> None:
    children = [
        Child(0, "failed", {"a.lr": 0.1, "b.crop": None}, run="r-0", seconds=75.0, reason="out of <memory>"),
        Child(1, "finished", {"a.lr": 0.1, "b.crop": None}, (0.9,), run="r-1", seconds=7.25, attempt=1),
        Child(2, "waiting", {"a.lr": 0.123456}, proposal=1),
        Child(3, "failed", {"a.lr": 1}, proposal=2),
    ]
    html = write(tmp_path, make_results("grid", children)).replace("\N{NO-BREAK SPACE}", " ")
    rows = [
        [re.sub("<.*?>", "", cell) for cell in re.findall("<td.*?</td>", row)]
        for row in re.findall("<tr><td.*?</tr>", html)
    ]
    assert rows == [
        ["000", "failed", "lr=0.1, crop=null", "r-0", "", "75.0 s"],
        ["001", "finished, again", "lr=0.1, crop=null", "r-1", "90.00 %", "7.2 s"],
        ["002", "waiting", "lr=0.1235", "", "", ""],
        ["003", "failed", "lr=1", "", "", ""],
        ["000", "lr=0.1, crop=null", "out of &lt;memory&gt;", "r-0"],
        ["003", "lr=1", "", ""],
    ]


def test_many_runs_are_folded_away(tmp_path: Path) -> None:
    assert "all runs (40)" in read(tmp_path, make_search(40))
    assert not any("all runs (" in text for text in read(tmp_path, make_search(30)))


def test_a_setting_that_the_runs_differ_in_is_not_told_as_common(tmp_path: Path) -> None:
    assert "0.0123" in read(tmp_path, make_repeats([0.9, 0.8]))
    assert "0.0123" not in read(tmp_path, make_grid())


@pytest.mark.parametrize("kind", ["repeat", "crossval"])
def test_folds_and_seeds_have_a_spread_and_no_best(kind: str, tmp_path: Path) -> None:
    results = make_repeats([0.9, 0.92, 0.94], kind)
    draw(results, tmp_path / "figures")
    texts = read(tmp_path, results)
    assert sections(texts) == ["Result", "Progress", "Spread", "Runs", "Setting", "Provenance"]
    assert "92.00 ± 2.00 %" in texts
    assert not any("campaign_best" in text for text in texts)


def test_a_confusion_matrix_and_pictures_of_ones_own_are_shown(tmp_path: Path) -> None:
    save_confusion([[3, 1], [0, 4]], ["cat", "dog"], tmp_path / "figures", "validation_confusion_matrix")
    picture = tmp_path / "figures" / "validation_confusion_matrix.png"
    picture.with_name("mine.png").write_bytes(picture.read_bytes())
    texts = read(tmp_path, make_repeats([0.9, 0.8], "crossval"))
    assert [title for title in sections(texts) if title in ("Confusion", "Other pictures")] == [
        "Confusion", "Other pictures",
    ]  # fmt: skip
    caption = "Every training image once, judged by the run that had it in its validation fold. "
    assert caption + "The numbers: figures/validation_confusion_matrix.csv" in texts


def test_of_several_objectives_the_front_is_a_table(tmp_path: Path) -> None:
    results = make_search(objectives=[ACCURACY, PARAMETERS])
    html = write(tmp_path, results)
    texts = Reader(html).texts
    best = results.best
    assert best is not None
    assert f"Run {best.number:03}, by validation accuracy, with run id {best.run}:" in texts
    assert {"validation accuracy of the best", "parameters of the best"} <= set(texts)
    section = html[html.index("campaign_best=made") : html.index("<h2>Runs")]
    numbers = re.findall('<tr><td class="words">(.*?)<', section)
    assert numbers == [f"{child.number:03}" for child in results.front()]


@pytest.mark.parametrize("state", ["running", "stopped", "failed"])
def test_a_campaign_without_a_result_has_a_page_of_what_there_is(state: str, tmp_path: Path) -> None:
    children = [Child(0, "failed", {"seed": 0}, reason="no")] if state == "failed" else []
    texts = read(tmp_path, make_results("tune", children, total=3), state=state, origin=None)
    assert sections(texts) == ["Result", *(["Runs", "Failures"] if children else []), "Setting"]
    assert state in texts
    assert "Tune, 0 of 3 configurations finished" in texts


def test_odd_names_stay_text_and_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    settings = dict.fromkeys(ODD_NAMES, 1)
    children = [finished(i, settings | {"a.x": name}, i / 10) for i, name in enumerate(ODD_NAMES)]
    children += [Child(8, "failed", {"a.x": 1}, reason=name, proposal=8) for name in ODD_NAMES]
    results = make_results("tune", children)
    draw(results, tmp_path / "figures")
    html = write(tmp_path, dataclasses.replace(results, name="<b>"), command="<i>", notes=["<u>"], state="<s>")
    page = Reader(html)
    assert {"<b>", "<i>", "<u>", "<s>"} <= set(page.texts)
    said = " ".join(page.texts)
    assert all(" ".join(name.split()) in " ".join(said.split()) for name in ODD_NAMES)
    tags = {tag for tag, _ in page.tags}
    assert "img" in tags
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "b", "i", "u", "s"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), tag
            assert name not in LOADING or (value or "").startswith("data:image/png;base64,"), tag


def test_the_values_of_a_setting_that_are_many_are_counted(tmp_path: Path) -> None:
    texts = read(tmp_path, make_results("grid", [finished(i, {"a.x": i}, i / 10) for i in range(12)]))
    assert "0, 1, 2, 3, 4, 5, 6, 7, … (12 values)" in texts
