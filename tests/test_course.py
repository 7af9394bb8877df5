"""docs/course.md: headings are complete, commands can be typed, names and pictures are there, the example is right."""

from __future__ import annotations

import re
import shlex
from fractions import Fraction

import pytest
import torch
import yaml

from visionlab import project
from visionlab.campaigns.planning import make_plan
from visionlab.cli import COMMANDS
from visionlab.config.defaults import options
from visionlab.config.load import load_train_config
from visionlab.training.metrics import ClassifierMetrics

ROOT = project.conf().parent
COURSE = ROOT / "docs" / "course.md"
TEXT = COURSE.read_text(encoding="utf-8")
LABS = options(project.conf(), "lab")
HEADINGS = dict(
    zip(re.findall(r"^### (.+)$", TEXT, re.MULTILINE), re.split(r"^### .+$", TEXT, flags=re.MULTILINE)[1:], strict=True)
)
BLOCKS = [line for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
INLINE = [code for code in re.findall(r"`([^`\n]+)`", TEXT) if code.split()[0] in ("visionlab", "make")]
IMPLEMENTED = [name for name in COMMANDS if name in ("tune", "grid", "repeat", "crossval")]


def commands(name: str) -> list[str]:
    """What the course says of `visionlab NAME …`, without those that stand for many."""
    found = [line for line in dict.fromkeys(BLOCKS + INLINE) if line.split()[:2] == ["visionlab", name]]
    return [line for line in found if not re.search(r"\b(RUN|NAME)\b", line)]


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_heading_has_idea_formula_command_picture_and_what_is_next(heading: str) -> None:
    section = HEADINGS[heading]
    idea = " ".join(section.strip().partition("\n\n")[0].split()).replace("et al.", "et al")
    assert len(re.findall(r"[.?](?=\s|$)", idea)) == 3, idea
    parts = [r"^    \S", r"^```bash$", r"^\*Picture:\*", r"^\*Try next:\*"]
    places = [found.start() if (found := re.search(part, section, re.MULTILINE)) else None for part in parts]
    assert None not in places, dict(zip(parts, places, strict=True))
    assert places == sorted(places, key=lambda place: place or 0)


@pytest.mark.parametrize("lab", LABS)
def test_every_lab_is_part_of_the_course(lab: str) -> None:
    assert f"visionlab lab {lab}" in BLOCKS


@pytest.mark.parametrize("line", commands("lab"))
def test_a_lab_of_the_course_exists(line: str) -> None:
    names = [word for word in line.split()[2:] if "=" not in word]
    assert set(names) <= {*LABS, "all"}


def test_pictures_of_labs_are_of_labs_that_the_course_does() -> None:
    folders = set(re.findall(r"runs/lab-([a-z-]+)/figures/", TEXT))
    assert folders
    assert all(f"visionlab lab {name}" in BLOCKS for name in folders)


@pytest.mark.parametrize("line", [*commands("train"), *commands("lr-find")])
def test_a_training_run_of_the_course_can_be_configured(line: str) -> None:
    assert load_train_config(shlex.split(line)[2:]).name


@pytest.mark.parametrize("line", [line for name in IMPLEMENTED for line in commands(name) if len(line.split()) > 2])
def test_a_campaign_of_the_course_can_be_planned(line: str) -> None:
    _, name, *words = shlex.split(line)
    if not any(word.startswith(("experiment=", "study=")) for word in words):
        words.append("experiment=digits")
    assert make_plan(name, words).total > 0


def test_every_command_and_target_exists() -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in BLOCKS + INLINE:
        program, *words = shlex.split(line)
        if program == "make":
            assert {word for word in words if "=" not in word} <= set(targets), line
        elif words:
            assert words[0] in COMMANDS, line


def test_links_lead_to_files_and_names_are_in_them() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", TEXT)
    assert len(links) > 40
    assert not [link for link in links if not (COURSE.parent / link).exists()]
    named = re.findall(r"`(\w+)` in \[[^\]]+\]\(([^)]+)\)", TEXT)
    assert len(named) > 15
    for name, link in named:
        source = (COURSE.parent / link).read_text(encoding="utf-8")
        assert re.search(rf"\b(def|class) {name}\b|\b{name}\b *[(=:]", source), f"{name} in {link}"


def test_pictures_that_are_named_are_drawn_and_those_in_the_text_are_small() -> None:
    names = set(re.findall(r"`([a-z_]+)\.png`", TEXT))
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src" / "visionlab").rglob("*.py"))
    labs = [yaml.safe_load((project.conf() / "lab" / f"{lab}.yaml").read_text(encoding="utf-8")) for lab in LABS]
    drawn = {figure["name"] for lab in labs for figure in lab["figures"]}
    assert not [name for name in names if name not in drawn and not re.search(rf'["/]{name}(\.png)?"', sources)]
    for image in re.findall(r"!\[[^\]]+\]\((images/lab_[^)]+)\)", TEXT):
        assert (COURSE.parent / image).stat().st_size < 150_000


def test_the_rates_worked_by_hand_are_those_that_the_metrics_compute() -> None:
    section = HEADINGS["The confusion matrix and its rates"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    counts = {row[0]: [int(cell) for cell in row[1:]] for row in rows if row[0] in ("cat", "dog")}
    by_hand = {row[0].partition(",")[0]: (Fraction(row[3].replace(" ", "")), row[4]) for row in rows if "/" in row[-2]}
    measured = _measured(counts["cat"], counts["dog"])
    assert by_hand.keys() == measured.keys()
    for name, (fraction, shown) in by_hand.items():
        assert float(fraction) == pytest.approx(measured[name], abs=1e-6), name
        assert shown == f"{measured[name]:.3f}"
    everything_a_cat = _measured([sum(counts["cat"]), 0], [sum(counts["dog"]), 0])
    assert [everything_a_cat[name] for name in ("accuracy", "recall", "balanced accuracy")] == [0.7, 0, 0.5]


def _measured(cats: list[int], dogs: list[int]) -> dict[str, float]:
    """The rates of dogs, of so many images of each class that were taken for a cat and for a dog."""
    pairs = [(true, said) for true, row in enumerate((cats, dogs)) for said in (0, 1) for _ in range(row[said])]
    labels, predicted = torch.tensor(pairs).T
    metrics = ClassifierMetrics(torch.nn.CrossEntropyLoss(), num_classes=2, top_k=5, positive=1)
    metrics.update(torch.nn.functional.one_hot(predicted, 2).float(), labels, torch.arange(len(labels)))
    scores = metrics.compute()
    assert scores.confusion.tolist() == [cats, dogs]
    names = {"F1": "f1", "false positive rate": "false_positive_rate"}
    shown = ("accuracy", "precision", "recall", "specificity", "false positive rate", "F1")
    rates = {name: scores.summary[names.get(name, name)] for name in shown}
    return rates | {"balanced accuracy": sum(scores.per_class["recall"]) / 2}
