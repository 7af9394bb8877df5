"""One clear line for each mistake, from the command line or a file, without torch."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.config.mistakes import lines
from visionlab import project
from visionlab.config.defaults import choosable
from visionlab.config.load import load_train_config
from visionlab.config.resolved import change_config, dump_config, read_config
from visionlab.config.train import TrainConfig
from visionlab.errors import ConfigError, UserError

MODEL_FILES = "cifarnet, cnn, mlp, perceptron, pretrained, resnet"
MODELS = "cnn, cifarnet, resnet, mlp, perceptron, pretrained"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("trainer.max_epoch=3", ["trainer.max_epoch", "given 3", "trainer.max_epochs", "command line"]),
        ("optimizer.lr=abc", ["optimizer.lr", "expected a number above 0", "given 'abc'", "command line"]),
        ("model=cnnn", ["model", MODEL_FILES, "given 'cnnn'", "did you mean cnn?", "command line"]),
        ("+model.wdth=3", ["model.wdth", "given 3", "did you mean model.width?", "command line"]),
        ("++model.wdth=3", ["model.wdth", "did you mean model.width?"]),
        ("trainer.precision=bf17", ["trainer.precision", "bf16-mixed", "given 'bf17'", "command line"]),
        ("data.batch_size=0", ["data.batch_size", "a whole number of at least 1", "given 0", "command line"]),
        ("lr=0.1", ["lr", "did you mean optimizer.lr?"]),
        ("model.name=cnnn", ["model.name", MODELS, "given 'cnnn'", "did you mean cnn?"]),
        ("model.depth=18", ["model.depth", "a known setting", "given 18"]),
        ("optimizer.lr=0.1,0.2", ["optimizer.lr", "one value", "0.1,0.2; `visionlab grid` tries several"]),
        ("study=digits", ["study", "expected one of data, diagnostics, experiment, loss", "given study=digits"]),
        ("=3", ["=3", "expected key=value, given no key"]),
        ("~trainer.max_epochs", ["trainer.max_epochs", "something that a YAML file sets", "~trainer.max_epochs"]),
        ("cifar10", ["cifar10", "key=value", "did you mean data=cifar10?"]),
        ("experiment=cifar10_cn", ["experiment", "given 'cifar10_cn'", "did you mean cifar10_cnn?"]),
        ("data=folder", ["data.root", "set it with data.root="]),
        ("data.augment.crop_scale=[0.9,0.2]", ["data.augment", "crop_scale", "least <= greatest"]),
    ],
)
def test_a_mistake_is_one_line_that_says_all(override: str, expected: list[str]) -> None:
    found = lines(override)
    assert len(found) == 1, found
    for words in expected:
        assert words in found[0]


def test_every_mistake_has_its_line() -> None:
    found = lines(
        "trainer.max_epoch=3", "optimizer.lr=abc", "data.batch_size=0", "trainer.precision=bf17", "model=cnnn"
    )
    assert sorted(line.partition(":")[0] for line in found) == [
        "data.batch_size",
        "model",
        "optimizer.lr",
        "trainer.max_epoch",
        "trainer.precision",
    ]


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        (["trainer.precision=16-mixed", "trainer.accelerator=cpu"], "use bf16-mixed"),
        (["tracking=off", "tracking.log_model=true"], "tracking.log_model: needs tracking=mlflow, given off"),
        (["trainer.early_stopping=3", "data.val_fraction=0"], "trainer.early_stopping: needs a validation set"),
        (["data.fold=3"], "data.fold: expected 0 without data.folds, given 3 [command line]"),
        (["data.folds=5", "data.fold=5"], "data.fold: expected 0 to 4, as data.folds is 5, given 5 [command line]"),
        (["loss=focal", "data.augment.mixup=0.2"], "need loss=cross_entropy or loss=logit_adjusted, given focal"),
        (
            ["data.augment.progressive=[5,6]", "trainer.max_epochs=2"],
            "progressive: expected fewer sides than trainer.max_epochs=2, so that the last epoch sees images in full",
        ),
        (
            ["data.augment.progressive=[4,5,6,7,8,9]", "trainer.compile=true"],
            "progressive: expected at most 5 different sides with trainer.compile=true, given 6",
        ),
        (["data.sampler=balanced", "loss.class_weights=balanced"], "so does loss.class_weights=balanced; choose one"),
        (
            ["data.sampler=balanced", "loss=logit_adjusted"],
            "data.sampler: balanced makes up for unequal classes, and so",
        ),
        (["data.imbalance=1"], "data.imbalance: expected a number above 1, or null, given 1"),
        (["trainer.accumulate=0"], "trainer.accumulate: expected a whole number of at least 1, given 0"),
        (["optimizer.lr_rule=linear"], "optimizer.lr_rule: linear needs reference_batch, the images in"),
        (["optimizer.reference_batch=64"], "optimizer.reference_batch: changes nothing without a rule"),
        (["optimizer.lr_rule=squared"], "optimizer.lr_rule: expected one of none, linear, sqrt, given 'squared'"),
    ],
)
def test_settings_that_exclude_each_other(overrides: list[str], rule: str) -> None:
    assert rule in " ".join(lines(*overrides))


def test_a_data_set_that_may_bring_its_own_validation_set_may_stop_early() -> None:
    config = load_train_config(["data=folder", "data.root=.", "data.val_fraction=0", "trainer.early_stopping=3"])
    assert config.data.may_validate
    assert not config.data.splits_off_validation


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["experiment=digits", "experiment=cifar10_cnn"],
            "experiment: expected one choice, given digits and cifar10_cnn",
        ),
        (["model=cnn", "model=mlp", "+model=cnn"], "model: expected one choice, given cnn and mlp and cnn"),
    ],
)
def test_a_choice_that_is_made_twice_is_a_mistake(overrides: list[str], line: str) -> None:
    assert lines(*overrides) == [f"{line} [command line]"]


def test_of_a_value_that_is_given_twice_the_last_one_counts() -> None:
    assert load_train_config(["seed=1", "trainer.max_epochs=2", "seed=3"]).seed == 3


def test_a_run_is_called_like_its_experiment() -> None:
    for override in ("experiment=digits", "+experiment=digits"):
        assert load_train_config([override, "data=cifar10"]).name == "digits"


def test_a_typo_in_a_file_is_found_with_its_line(conf: Path) -> None:
    (conf / "model" / "cnn.yaml").write_text("name: cnn\n\nwdth: 3\n")
    assert lines("model=cnn") == [
        "model.wdth: expected a known setting, given 3; did you mean model.width? [conf/model/cnn.yaml:3]"
    ]


def test_a_typo_in_an_experiment_is_found_with_its_line(conf: Path) -> None:
    (conf / "experiment" / "mine.yaml").write_text("# @package _global_\n\noptimizer:\n  lr: fast\n")
    assert lines("experiment=mine") == [
        "optimizer.lr: expected a number above 0, given 'fast' [conf/experiment/mine.yaml:4]"
    ]


def test_a_file_that_is_no_yaml_is_named_with_the_line(conf: Path) -> None:
    (conf / "model" / "cnn.yaml").write_text("name: cnn\nwidth: [3\n")
    (found,) = lines("model=cnn")
    assert found.startswith("conf/model/cnn.yaml:3: cannot be read as YAML: ")


def test_the_command_line_wins_over_the_experiment_and_this_over_the_defaults() -> None:
    assert load_train_config(["experiment=digits"]).data.name == "digits"
    assert load_train_config(["experiment=digits", "data=cifar10"]).data.name == "cifar10"
    assert load_train_config(["experiment=digits", "trainer.max_epochs=77"]).trainer.max_epochs == 77


def test_another_choice_leaves_the_experiments_settings_for_its_own_choice_behind(conf: Path) -> None:
    (conf / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: cnn\n  - override /optimizer: muon\n"
        "model: {width: 12}\noptimizer: {lr: 0.3, momentum: 0.1}\n"
    )
    config = load_train_config(["experiment=mine", "model=resnet", "model.depth=20", "optimizer=muon"])
    assert config.model.model_dump() == {"name": "resnet", "init_from": None, "depth": 20, "width": None}
    assert (config.optimizer.lr, config.optimizer.model_dump()["momentum"]) == (0.3, 0.1)


def test_values_with_characters_that_hydra_wants_quoted() -> None:
    config = load_train_config(["experiment=digits", "data.positive_class=~/my leaves (new)/it's"])
    assert config.data.positive_class == "~/my leaves (new)/it's"


def test_a_saved_configuration_reads_back_equal(tmp_path: Path) -> None:
    config = load_train_config(["experiment=digits", "data.augment.crop_scale=[0.5,1.0]"])
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert read_config(tmp_path / "config.yaml") == config


def test_a_saved_configuration_that_was_damaged_is_named(tmp_path: Path) -> None:
    saved = yaml.safe_load(dump_config(load_train_config(["experiment=digits"])))
    saved["trainer"]["max_epochs"] = -1
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(saved))
    with pytest.raises(ConfigError, match=r"trainer\.max_epochs.*config\.yaml:\d+"):
        read_config(tmp_path / "config.yaml")
    with pytest.raises(UserError, match="found no file"):
        read_config(tmp_path / "nothing.yaml")


def test_a_setting_of_a_section_that_was_off_can_be_changed() -> None:
    config = load_train_config(["experiment=digits"])
    assert config.data.augment.randaugment is None
    changed = change_config(config, ["data.augment.randaugment.ops=3"], None)
    assert changed.data.augment.randaugment is not None
    assert changed.data.augment.randaugment.ops == 3


def test_configurations_cannot_be_changed() -> None:
    config = load_train_config(["experiment=digits"])
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]


def test_every_yaml_file_is_a_valid_choice() -> None:
    files = [file for group in choosable(project.conf(), "train") for file in (project.conf() / group).glob("*.yaml")]
    for file in sorted(files):
        required = ["data.root=somewhere"] if file.stem == "folder" else []
        config = load_train_config([f"{file.parent.name}={file.stem}", *required])
        assert isinstance(config, TrainConfig)
