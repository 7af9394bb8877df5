"""What a page says of a run's configuration: the choices, not the defaults."""

from __future__ import annotations

from visionlab.config.load import load_train_config
from visionlab.reports.settings import chosen
from visionlab.reports.words import duration, metric, setting, value


def test_settings_that_differ_from_the_defaults_are_chosen_and_names_of_components_always() -> None:
    plain = chosen(load_train_config(["experiment=digits"]))
    changed = chosen(load_train_config(["experiment=digits", "seed=7", "data.augment.randaugment={ops: 1}"]))
    assert {key: value for key, value in changed.items() if plain.get(key) != value} == {
        "seed": 7,
        "data.augment.randaugment": {"ops": 1, "magnitude": 9},
    }
    assert plain["data.name"] == "digits"
    assert {"model.name", "optimizer.name", "schedule.name", "loss.name", "task.name"} <= plain.keys()
    assert not any(key == "name" or key.startswith("tracking") for key in plain)


def test_a_default_that_is_given_is_not_chosen() -> None:
    assert "trainer.val_every" not in chosen(load_train_config(["experiment=digits", "trainer.val_every=1"]))
    assert chosen(load_train_config(["experiment=digits", "trainer.val_every=2"]))["trainer.val_every"] == 2


def test_settings_read_as_they_are_typed() -> None:
    given = [None, True, 0.001, [0.35, 1.0], {"ops": 1}, "cnn"]
    assert [setting(one) for one in given] == ["null", "true", "0.001", "[0.35, 1.0]", "{ops: 1}", "cnn"]


def test_metrics_in_words() -> None:
    assert [metric(name) for name in ("roc_auc", "calibration_error")] == ["ROC AUC", "calibration error"]
    assert value("accuracy", 0.9) == "90.00\N{NO-BREAK SPACE}%"
    assert [value("loss", 0.25), value("recall", None)] == ["0.2500", "undefined"]
    assert [duration(seconds) for seconds in (7.25, 300, 8000)] == ["7.2 s", "5 min", "2 h 13 min"]
