"""What is served answers as `visionlab predict` does of files with the same pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from PIL import Image

from tests.prediction.trained import Trained
from visionlab.prediction import served
from visionlab.prediction.loading import load_predictor
from visionlab.prediction.predictor import Prediction
from visionlab.prediction.served import Served
from visionlab.tracking.run import Run


def photos(shape: tuple[int, ...], count: int = 5) -> np.ndarray:
    """(count, H, W, C), with edges of every kind in them."""
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def predicted(run: Run, images: np.ndarray, folder: Path) -> list[Prediction]:
    """What `visionlab predict` says of the images in files."""
    files = [folder / f"{number}.png" for number in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image.squeeze(axis=-1) if image.shape[-1] == 1 else image).save(file)
    predictor = load_predictor(run.id)
    return list(predictor.predict(files, len(predictor.spec.classes)))


def served_run(run: Run) -> Served:
    return Served(load_predictor(run.id))


@pytest.mark.parametrize("shape", [(16, 16, 3), (37, 90, 3), (7, 5, 3), (40, 31, 1), (33, 64, 4)])
@pytest.mark.parametrize("name", ["plain", "cropped", "grey", "digits"])
def test_probabilities_are_those_of_predict_to_the_last_digit(
    name: str, shape: tuple[int, ...], trained: Trained, tmp_path: Path
) -> None:
    run, images = trained.runs[name], photos(shape)
    found = served_run(run).predict(images)
    expected = [dict(one.ranking) for one in predicted(run, images, tmp_path)]
    assert found.to_dict("records") == expected
    assert np.ptp(found.to_numpy(), axis=0).max() > 0


def test_many_images_are_done_in_parts_and_none_is_an_empty_table(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images = served_run(trained.runs["plain"]), photos((20, 20, 3), 11)
    whole = model.predict(images)
    monkeypatch.setattr(model._predictor, "batch_size", 4)
    assert model.predict(images).to_numpy() == pytest.approx(whole.to_numpy(), abs=1e-6)
    empty = model.predict(images[:0])
    assert (list(empty.columns), len(empty)) == (["cat", "dog", "owl"], 0)


@pytest.mark.parametrize("shape", [(1, 8, 8, 2), (1, 3, 8, 8), (8, 8, 3), (1, 0, 8, 3)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...], trained: Trained) -> None:
    with pytest.raises(MlflowException, match=" x ".join(map(str, shape))):
        served_run(trained.runs["plain"]).predict(np.zeros(shape, np.uint8))


def test_a_network_that_gives_no_numbers_is_said_of_the_image(trained: Trained) -> None:
    model = served_run(trained.runs["plain"])
    next(model._predictor.module.network.parameters()).data.fill_(float("nan"))
    with pytest.raises(MlflowException, match="gives NaN or infinity for image 0"):
        model.predict(photos((16, 16, 3)))


def test_it_is_loaded_as_mlflow_does(trained: Trained) -> None:
    from visionlab.prediction.packaging import write_package

    run, images = trained.runs["grey"], photos((20, 30, 3))
    answer = served._load_pyfunc(str(write_package(run).network)).predict(images)
    assert answer.equals(served_run(run).predict(images))
