"""The predictor of a run."""

from __future__ import annotations

import io
from collections.abc import Iterable

from visionlab import project
from visionlab.data.spec import DataSpec
from visionlab.errors import UserError
from visionlab.prediction.files import image_files
from visionlab.prediction.predictor import Prediction, Predictor
from visionlab.tracking.catalog import find_run
from visionlab.training import checkpoint_file
from visionlab.training.loading import load_run
from visionlab.training.quiet import quieten


def load_predictor(name: str) -> Predictor:
    """Load the network of the run that `name` means (an id, a prefix, ``last`` or ``best``), without its data set.

    Raises:
        UserError: there is no such run, or it has no checkpoint, or that is of an older version, which does not say
            how images are normalised, and the data set that would is not here.
    """
    quieten()
    run = find_run(project.runs(), name)
    checkpoint, config = run.checkpoint(), run.config()
    state = checkpoint_file.read(checkpoint).get(config.data.load_implementation().__qualname__)
    if state is None:
        try:
            loaded = load_run(run.id)
        except UserError as error:
            raise UserError(
                f"{run.id}: its checkpoint does not say how images are normalised, as those of newer runs do, "
                f"and its data set cannot be asked: {error}"
            ) from error
        return Predictor(run.id, loaded.module, loaded.data.spec, loaded.config)
    return Predictor.restored(run.id, checkpoint, DataSpec(**state), config)


def predict_paths(name: str, paths: Iterable[str], top: int) -> list[Prediction]:
    """See `visionlab.predict`."""

    def refuse(line: str) -> None:
        raise UserError(line)

    files = list(image_files(paths, io.BytesIO(), refuse))
    return list(load_predictor(name).predict(files, top))
