"""What `campaign_best=` trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionlab import project
from visionlab.campaigns.best import best_config
from visionlab.config.load import load_train_config
from visionlab.config.resolved import dump_config
from visionlab.errors import ConfigError, UserError


def keep(name: str, *words: str) -> None:
    folder = project.runs() / name
    folder.mkdir(parents=True)
    (folder / "best.yaml").write_text(dump_config(load_train_config(["experiment=digits", *words])))


def test_it_is_trained_on_everything_so_nothing_is_left_to_stop_it_early(home: Path) -> None:
    keep("search", "trainer.early_stopping=3", "model.width=24", "data.folds=5", "data.fold=2", "data.fraction=0.2")
    config = best_config("search", [])
    assert config.data.fraction == 1
    assert (config.data.val_fraction, config.data.folds, config.data.fold) == (0, None, 0)
    assert config.trainer.early_stopping is None
    assert config.model.model_dump()["width"] == 24
    assert config.name == "best-search"


def test_any_setting_may_be_another_one(home: Path) -> None:
    keep("search")
    config = best_config("search", ["seed=7", "data.augment.flip=random", "trainer.max_epochs=2"])
    assert (config.seed, config.data.augment.flip, config.trainer.max_epochs) == (7, "random", 2)
    other = best_config("search", ["tracking=off", "optimizer=sgd", "optimizer.momentum=0.5", "data.fraction=0.5"])
    assert (other.tracking.name, other.optimizer.name, other.data.fraction) == ("off", "sgd", 0.5)
    assert other.optimizer.model_dump()["momentum"] == 0.5
    with pytest.raises(ConfigError, match="expected one of adamw, muon, sgd"):
        best_config("search", ["optimizer=sgdd"])
    with pytest.raises(ConfigError, match=r"trainer\.max_epoch=2: .*did you mean trainer\.max_epochs"):
        best_config("search", ["trainer.max_epoch=2"])


@pytest.mark.parametrize("name", ["", "nothing", "serch"])
def test_a_campaign_without_a_best_is_a_line(name: str, home: Path) -> None:
    with pytest.raises(UserError, match=r"campaign_best: expected a campaign .*there is none"):
        best_config(name, [])
    keep("search")
    with pytest.raises(UserError, match="search"):
        best_config(name, [])
