"""What is wrong with a defaults list is said with its file and line, of all mistakes at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.config.mistakes import lines
from visionlab.config.load import load_train_config

MODEL_FILES = "cifarnet, cnn, mlp, perceptron, pretrained, resnet"

MODEL = "model: expected"


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("override /model: cnnn", f"{MODEL} one of {MODEL_FILES}, given 'cnnn'; did you mean cnn?"),
        (
            "optional override /model: cnnn",
            f"{MODEL} one of {MODEL_FILES}, given 'cnnn'; did you mean cnn?",
        ),
        ("/model: resnet", f"{MODEL} `override /model: …`, as there is a choice to override, given `/model: resnet`"),
        ("/model/resnet", f"{MODEL} `override /model: …`, as there is a choice to override, given `/model/resnet`"),
        (
            "override model: cnn",
            f"{MODEL} /model, with a slash as it is a folder of conf/, given `override model: cnn`",
        ),
        ("model: cnn", f"{MODEL} /model, with a slash as it is a folder of conf/, given `model: cnn`"),
        ("/experiment: digits", "experiment: expected the name alone, to build on it, given `/experiment: digits`"),
        ("mine", "defaults: expected files that do not build on themselves, given `mine`"),
        (
            "nothing",
            "experiment: expected one of catdog_cnn, catdog_transfer, cifar10_94, cifar10_96, "
            "cifar10_cnn, cifar10_finetune, cifar10_resnet18, "
            "cifar10_transfer, digits, mine, given 'nothing'",
        ),
        ("3", "defaults: expected a list with entries such as `override /model: cnn`, given `3`"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(entry: str, line: str, experiment: Callable[[str], None]) -> None:
    experiment(f"defaults:\n  - override /data: digits\n  - {entry}")
    assert lines("experiment=mine") == [f"{line} [conf/experiment/mine.yaml:4]"]


def test_a_group_that_there_is_not(experiment: Callable[[str], None]) -> None:
    experiment("defaults:\n  - override /modle: cnn")
    (found,) = lines("experiment=mine")
    assert found.startswith("modle: expected one of data, diagnostics, experiment, gather, lab, loss, model, ")
    assert found.endswith("given `override /modle: cnn`; did you mean model? [conf/experiment/mine.yaml:3]")


@pytest.mark.parametrize("wrong", ["cnn", "{model: cnn}"])
def test_a_defaults_list_that_is_none(wrong: str, experiment: Callable[[str], None]) -> None:
    experiment(f"defaults: {wrong}")
    line = f"defaults: expected a list with entries such as `override /model: cnn`, given `{wrong}`"
    assert lines("experiment=mine") == [f"{line} [conf/experiment/mine.yaml:2]"]


def test_all_mistakes_are_named_also_in_files_that_are_built_on(conf: Path, experiment: Callable[[str], None]) -> None:
    (conf / "experiment" / "below.yaml").write_text("# @package _global_\ndefaults: [override /loss: focl]\n")
    experiment("defaults:\n  - below\n  - override /model: cnnn\n  - override /optimizer: adam")
    assert lines("experiment=mine", "trainer.precision=1,2") == [
        "trainer.precision: expected one value, given 1,2; `visionlab grid` tries several [command line]",
        f"model: expected one of {MODEL_FILES}, given 'cnnn'; did you mean cnn? [conf/experiment/mine.yaml:4]",
        "optimizer: expected one of adamw, muon, sgd, given 'adam'; did you mean adamw? [conf/experiment/mine.yaml:5]",
        "loss: expected one of cross_entropy, focal, logit_adjusted, perceptron, given 'focl'; did you mean focal? "
        "[conf/experiment/below.yaml:2]",
    ]


@pytest.mark.parametrize(
    "entries",
    [
        ["digits", "_self_"],
        ["override /model: mlp", "override /data: digits"],
        ["optional /foo: nothing"],
        ["override /tracking: 'off'"],
    ],
)
def test_what_hydra_takes_is_taken(entries: list[str], experiment: Callable[[str], None]) -> None:
    experiment("defaults:\n" + "".join(f"  - {entry}\n" for entry in entries) + "seed: 3")
    assert load_train_config(["experiment=mine"]).seed == 3


def test_an_experiment_without_its_package_is_told(conf: Path) -> None:
    (conf / "experiment" / "mine.yaml").write_text("seed: 3\n")
    assert lines("experiment=mine") == [
        "conf/experiment/mine.yaml: expected `# @package _global_` as first line, as it is for all sections"
    ]
