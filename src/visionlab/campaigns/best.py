"""The best configuration of a campaign, to be trained on everything and tested."""

from __future__ import annotations

from visionlab import project
from visionlab.campaigns.record import BEST
from visionlab.config.load import compose_train
from visionlab.config.resolved import change_config, check, read_config
from visionlab.config.source import Composed
from visionlab.config.suggest import did_you_mean
from visionlab.config.train import TrainConfig
from visionlab.errors import UserError


def best_config(campaign: str, overrides: list[str]) -> TrainConfig:
    """The configuration in a campaign's `best.yaml`, on all training images: validation has nothing left to choose.

    A folder of images that has a validation set of its own keeps it.

    Args:
        overrides: as on the command line of `visionlab train`; a component that is chosen begins with its own defaults.

    Raises:
        UserError: there is no such campaign, or it has not come to a best configuration.
        ConfigError: with one line for each mistake in the overrides.
    """
    file = project.runs() / campaign / BEST
    if not campaign or not file.exists():
        known = sorted(found.parent.name for found in project.runs().glob(f"*/{BEST}"))
        there = f"; there are {', '.join(known)}" if known else "; there is none yet: `visionlab tune` makes one"
        raise UserError(
            f"campaign_best: expected a campaign that has a best configuration, given {campaign!r}"
            f"{did_you_mean(campaign, known) or there}"
        )
    config = read_config(file)
    data = config.data.model_copy(update={"fraction": 1.0, "val_fraction": 0.0, "folds": None, "fold": 0})
    trainer = config.trainer.model_copy(update={"early_stopping": None})
    config = config.model_copy(update={"name": f"best-{campaign}", "data": data, "trainer": trainer})
    groups = [word for word in overrides if (project.conf() / word.partition("=")[0]).is_dir()]
    if groups:
        composed = compose_train(groups)
        chosen = {word.partition("=")[0]: composed.values.get(word.partition("=")[0]) for word in groups}
        content = Composed(
            config.model_dump(mode="json") | chosen, composed.overrides, composed.sources, composed.mistakes
        )
        config = check(TrainConfig, content)
    return change_config(config, [word for word in overrides if word not in groups], None)
