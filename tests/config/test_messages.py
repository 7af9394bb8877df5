"""Every kind of mistake is one line in plain words: path, expected, given, nearest known name, origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field
from pydantic_core import ErrorDetails, PydanticCustomError

from tests.config.mistakes import lines
from visionlab.config.base import Component, Section
from visionlab.config.campaign import CampaignConfig, TuneConfig
from visionlab.config.messages import explain
from visionlab.config.resolved import check
from visionlab.config.source import Composed
from visionlab.errors import ConfigError

MODELS = "cnn, cifarnet, resnet, mlp, perceptron, pretrained"

UNKNOWN = "expected a known setting, given 3"


@pytest.mark.parametrize(
    ("override", "expected", "given"),
    [
        # whole numbers
        ("trainer.max_epochs=abc", "a whole number of at least 1", "'abc'"),
        ("trainer.max_epochs=1.5", "a whole number of at least 1", "1.5"),
        ("trainer.max_epochs=null", "a whole number of at least 1", "null"),
        ("trainer.max_epochs=[1]", "a whole number of at least 1", "[1]"),
        ("trainer.max_epochs=0", "a whole number of at least 1", "0"),
        ("trainer.early_stopping=0", "a whole number of at least 1, or null", "0"),
        ("seed=-1", "a whole number of at least 0 and below 4294967296", "-1"),
        ("seed=4294967296", "a whole number of at least 0 and below 4294967296", "4294967296"),
        ("data.augment.randaugment.ops=9", "a whole number from 1 to 8", "9"),
        ("data.augment.randaugment.magnitude=31", "a whole number from 0 to 30", "31"),
        # true is 1 to Python, but nobody who writes it means that
        ("trainer.early_stopping=true", "a whole number of at least 1, or null", "'true'"),
        ("data.augment.mixup=true", "a number of at least 0", "'true'"),
        # numbers
        ("optimizer.lr=abc", "a number above 0", "'abc'"),
        ("optimizer.lr=0", "a number above 0", "0"),
        ("optimizer.lr=inf", "a finite number above 0", "inf"),
        ("optimizer.lr=nan", "a finite number above 0", "nan"),
        ("optimizer.momentum=1", "a number of at least 0 and below 1", "1"),
        ("data.fraction=1.5", "a number above 0 and at most 1", "1.5"),
        ("trainer.gradient_clip=0", "a number above 0, or null", "0"),
        # words
        ("optimizer.nesterov=maybe", "true or false", "'maybe'"),
        ("optimizer.nesterov=3", "true or false", "3"),
        ("debug=overfitt", "one of true, false, overfit, profile", "'overfitt'; did you mean overfit?"),
        ("data.augment.flip=rando", "one of none, random, alternating", "'rando'; did you mean random?"),
        ("data.augment.flip=[random]", "one of none, random, alternating", "['random']"),
        ("trainer.channels_last=3", "one of true, false, auto", "3"),
        # text
        ("name=[1]", "1 to 100 letters, digits and any of _ . -, or null", "[1]"),
        ("name='a b'", "1 to 100 letters, digits and any of _ . -, or null", "'a b'"),
        ("data.positive_class=[1]", "text, or null", "[1]"),
        # one of several kinds
        ("trainer.devices=two", "a whole number of at least 1, or auto", "'two'"),
        ("trainer.devices=0", "a whole number of at least 1, or auto", "0"),
        ("trainer.devices=[0]", "a whole number of at least 1, or auto", "[0]"),
        ("trainer.devices=true", "a whole number of at least 1, or auto", "'true'"),
        ("loss.class_weights=equal", "a list of numbers of at least 0, balanced or null", "'equal'"),
        ("loss.class_weights=3", "a list of numbers of at least 0, balanced or null", "3"),
        # lists
        ("data.augment.progressive=20", "a list of whole numbers of at least 4", "20"),
        ("data.augment.crop_scale=0.5", "a list of 2 numbers, or null", "0.5"),
        ("data.augment.crop_scale=[0.5]", "a list of 2 numbers, or null", "[0.5]"),
        ("data.augment.crop_scale=[]", "a list of 2 numbers, or null", "[]"),
        ("data.augment.crop_scale=[0.1,0.5,1]", "a list of 2 numbers, or null", "[0.1, 0.5, 1]"),
        ("data.augment.crop_scale={a: 1}", "a list of 2 numbers, or null", "{'a': 1}"),
        ("data.urls=[]", "a list of one or more texts", "[]"),
        ("data.urls=http", "a list of one or more texts", "'http'"),
        # sections
        ("data.augment=3", "settings such as crop_scale, flip, translate", "3"),
        ("data.augment=[3]", "settings such as crop_scale, flip, translate", "[3]"),
        ("data.augment=null", "settings such as crop_scale, flip, translate", "null"),
        ("data.augment.randaugment=3", "settings such as ops, magnitude, or null", "3"),
        ("model.name=resnett", f"one of {MODELS}", "'resnett'; did you mean resnet?"),
        ("model.name=null", f"one of {MODELS}", "null"),
        ("task.name=null", "classifier", "null"),
    ],
)
def test_a_wrong_value(override: str, expected: str, given: str) -> None:
    path = override.partition("=")[0]
    (line,) = lines(override)
    assert line == f"{path}: expected {expected}, given {given} [command line]"


@pytest.mark.parametrize(
    ("overrides", "path", "expected", "given"),
    [
        (["loss.class_weights=[1,-2]"], "loss.class_weights.1", "a number of at least 0", "-2"),
        (["loss.class_weights=[1,balanced]"], "loss.class_weights.1", "a number of at least 0", "'balanced'"),
        (["data.urls=[[1]]"], "data.urls.0", "text", "[1]"),
        (["model=mlp", "model.hidden=[8,0]"], "model.hidden.1", "a whole number of at least 1", "0"),
        (["model=mlp", "model.hidden=8"], "model.hidden", "a list of whole numbers of at least 1", "8"),
        (["schedule=step", "schedule.milestones=[2]"], "schedule.milestones.0", "a number above 0 and below 1", "2"),
        (["schedule=step", "schedule.milestones=[0.5,0.2]"], "schedule.milestones", "shares that rise", "[0.5, 0.2]"),
        (
            ["optimizer=adamw", "optimizer.betas=0.9"],
            "optimizer.betas",
            "a list of 2 numbers of at least 0 and below 1",
            "0.9",
        ),
        (
            ["optimizer=adamw", "optimizer.betas=[0.9,1]"],
            "optimizer.betas.1",
            "a number of at least 0 and below 1",
            "1",
        ),
        (["model=resnet", "model.depth=19"], "model.depth", "one of 18, 34, 20, 32, 44, 56, 110", "19"),
        (["data=folder", "data.root=''"], "data.root", "a folder", "''"),
        (["data=folder", "data.root=x", "data.color=gray"], "data.color", "rgb or grey", "'gray'; did you mean grey?"),
    ],
)
def test_a_wrong_value_of_a_component(overrides: list[str], path: str, expected: str, given: str) -> None:
    assert lines(*overrides) == [f"{path}: expected {expected}, given {given} [command line]"]


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["model.depth=20"],
            "model.depth: expected a known setting, given 20; depth is a setting of model=cifarnet and model=resnet",
        ),
        (
            ["model.depht=20"],
            "model.depht: expected a known setting, given 20; did you mean model.depth, a setting of "
            "model=cifarnet and model=resnet?",
        ),
        (
            ["optimizer=adamw", "optimizer.momentum=0.9"],
            "optimizer.momentum: expected a known setting, given 0.9; "
            "momentum is a setting of optimizer=sgd and optimizer=muon",
        ),
        (
            ["optimizer=adamw", "optimizer.momentm=0.9"],
            "optimizer.momentm: expected a known setting, given 0.9; "
            "did you mean optimizer.momentum, a setting of optimizer=sgd and optimizer=muon?",
        ),
        (["data.roots=3"], f"data.roots: {UNKNOWN}; did you mean data.root, a setting of data=folder and data=catdog?"),
        # what the chosen component has comes before what another one has
        (["model.widt=20"], "model.widt: expected a known setting, given 20; did you mean model.width?"),
        (["trainer.zzz=1"], "trainer.zzz: expected a known setting, given 1"),
        (["zzz=1"], "zzz: expected a known setting, given 1"),
    ],
)
def test_an_unknown_setting(overrides: list[str], line: str) -> None:
    assert lines(*overrides) == [f"{line} [command line]"]


def test_what_is_missing_is_told_with_what_it_has_to_be() -> None:
    assert lines("data=folder") == ["data.root: expected text, given none [set it with data.root=…]"]
    assert lines("~model") == [f"model: expected one of {MODELS}, given none [set it with model=…]"]
    assert lines("~model.name") == [f"model.name: expected one of {MODELS}, given none [set it with model.name=…]"]


def test_a_file_that_names_a_choice_in_the_place_of_its_settings(experiment: Callable[[str], None]) -> None:
    experiment("model: resnet")
    assert lines("experiment=mine") == [
        "model: expected settings, given 'resnet'; a file chooses it by `override /model: resnet` in its defaults list "
        "[conf/experiment/mine.yaml:2]"
    ]
    experiment("model: 3\ntrainer:\n  3: 4")
    assert lines("experiment=mine") == [
        f"model: expected one of {MODELS}, given 3 [conf/experiment/mine.yaml:2]",
        "trainer.3: expected a known setting, given 3 [conf/experiment/mine.yaml:4]",
    ]


class Leaf(Section):
    size: int = 1


class Round(Component):
    implementation: ClassVar[str] = ""
    name: Literal["round"] = "round"
    radius: float = 1.0


class Square(Component):
    implementation: ClassVar[str] = ""
    name: Literal["square"] = "square"
    side: float = 1.0


class Ours(Section):
    """Types that a configuration class of one's own may have."""

    leaves: tuple[Leaf, ...] = ()
    by_name: dict[str, Leaf] = Field({})
    anything: dict[str, Any] = Field({})
    pair: tuple[int, str] | None = None
    three: tuple[int, ...] = Field((1, 2, 3), min_length=2, max_length=3)
    two: tuple[str, ...] = Field(("a", "b"), min_length=2)
    shape: Annotated[Round | Square, Field(discriminator="name")] = Round()
    shapes: tuple[Annotated[Round | Square, Field(discriminator="name")], ...] = ()
    code: str = Field("A1", pattern="^[A-Z][0-9]$")
    most: int = Field(0, le=3)
    least: Annotated[float, Field(ge=2)] | Literal["auto"] = "auto"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"leaves": 3}, "leaves: expected a list of values, given 3"),
        ({"leaves": [3]}, "leaves.0: expected settings such as size, given 3"),
        ({"leaves": [{"siz": 3}]}, f"leaves.0.siz: {UNKNOWN}; did you mean leaves.0.size?"),
        ({"by_name": 3}, "by_name: expected settings below it, given 3"),
        ({"by_name": {"a.b": {"size": "x"}}}, "by_name.a.b.size: expected a whole number, given 'x'"),
        ({"anything": [1]}, "anything: expected settings below it, given [1]"),
        ({"pair": [1]}, "pair: expected a list of 2 values, or null, given [1]"),
        ({"pair": ["x", "y"]}, "pair.0: expected a whole number, given 'x'"),
        ({"three": [1]}, "three: expected a list of 2 to 3 whole numbers, given [1]"),
        ({"two": ["a"]}, "two: expected a list of 2 or more texts, given ['a']"),
        (
            {"shape": {"name": "square", "radius": 3}},
            f"shape.radius: {UNKNOWN}; radius is a setting of shape=round",
        ),
        ({"shapes": [{"name": "rund"}]}, "shapes.0.name: expected round or square, given 'rund'; did you mean round?"),
        ({"shapes": [{"name": "square", "side": "x"}]}, "shapes.0.side: expected a number, given 'x'"),
        ({"code": "a"}, "code: expected text of the form ^[A-Z][0-9]$, given 'a'"),
        ({"most": 4}, "most: expected a whole number of at most 3, given 4"),
        ({"least": 1}, "least: expected a number of at least 2, or auto, given 1"),
        ({"least": "aut"}, "least: expected a number of at least 2, or auto, given 'aut'; did you mean auto?"),
    ],
)
def test_types_of_ones_own(values: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(Ours, Composed(values, frozenset(values), []))
    assert caught.value.lines == [f"{line} [command line]"]


def test_a_rule_and_what_it_says() -> None:
    class Ruled(Section):
        inner: Leaf = Leaf()

    def said(location: tuple[str, ...], error: Exception) -> str:
        details: ErrorDetails = {"type": "value_error", "loc": location, "msg": "", "input": 3, "ctx": {"error": error}}
        (line,) = explain(Ruled, Composed({}, frozenset({"inner.size"}), []), [details])
        return line

    assert said((), ValueError("inner.size: too small")) == "inner.size: too small [command line]"
    assert said(("inner",), ValueError("size: too small")) == "inner.size: too small [command line]"
    assert said(("inner",), ValueError("sizes are too small")) == "inner: sizes are too small"
    assert said(("inner", "size"), ValueError("too small")) == "inner.size: too small [command line]"
    assert said((), ValueError("nothing fits")) == "nothing fits"


def test_an_error_type_of_ones_own_keeps_its_words() -> None:
    custom = PydanticCustomError("ours", "expected something better")
    details: ErrorDetails = {"type": custom.type, "loc": ("most",), "msg": custom.message(), "input": 3}
    assert explain(Ours, Composed({}, frozenset(), []), [details]) == ["most: expected something better [defaults]"]


@pytest.mark.parametrize(
    ("schema", "values", "line"),
    [
        (CampaignConfig, {"workers": 0}, "workers: expected a whole number of at least 1, given 0"),
        (CampaignConfig, {"slurm": 3}, "slurm: expected settings below it, given 3"),
        (CampaignConfig, {"launcher": "slrm"}, "launcher: expected local or slurm, given 'slrm'; did you mean slurm?"),
        (TuneConfig, {"space": 3}, "study.space: expected one or more settings below it, given 3"),
        (TuneConfig, {"space": {}}, "study.space: expected one or more settings below it, given {}"),
        (
            TuneConfig,
            {"space": {"a": {"float": [1]}}},
            "study.space.a.float: expected a list of 2 numbers, or null, given [1]",
        ),
        (TuneConfig, {"space": {"a": {"int": [1, "x"]}}}, "study.space.a.int.1: expected a whole number, given 'x'"),
        (
            TuneConfig,
            {"space": {"a": {"choices": []}}},
            "study.space.a.choices: expected a list of one or more values, or null, given []",
        ),
        (
            TuneConfig,
            {"space": {"a.b": {"float": [0, 1], "lgo": 3}}},
            f"study.space.a.b.lgo: {UNKNOWN}; did you mean study.space.a.b.log?",
        ),
        (TuneConfig, {"objectives": []}, "study.objectives: expected a list of 1 to 3 values, given []"),
        (
            TuneConfig,
            {"objectives": [{"metrik": 3}]},
            f"study.objectives.0.metrik: {UNKNOWN}; did you mean study.objectives.0.metric?",
        ),
    ],
)
def test_settings_of_campaigns(schema: type[BaseModel], values: dict[str, Any], line: str) -> None:
    if schema is TuneConfig:
        values = {"study": {"name": "s", "space": {"seed": {"int": [0, 1]}}} | values}
    with pytest.raises(ConfigError) as caught:
        check(schema, Composed(values, frozenset(values), []))
    assert caught.value.lines == [f"{line} [command line]"]


def test_two_parameters_of_which_one_has_the_name_of_the_others_section() -> None:
    space = {"optimizer": {"log": True}, "optimizer.lr": {"float": [0, 1], "lgo": True}}
    with pytest.raises(ConfigError) as caught:
        check(TuneConfig, Composed({"study": {"name": "s", "space": space}}, frozenset(), []))
    assert len(caught.value.lines) == 2
