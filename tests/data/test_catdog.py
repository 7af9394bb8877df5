"""The data set of cats and dogs: what it demands of its folder, what it refuses, and what a run records of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.gather.pictures import cropped, picture
from visionlab.config.data import CatDogConfig
from visionlab.config.load import load_train_config
from visionlab.data import decode_cache, leaks
from visionlab.data.catdog import CatDog
from visionlab.errors import DataUnavailableError, UserError
from visionlab.gather.manifest import COLUMNS
from visionlab.tracking.run import Run
from visionlab.training.engine import resume, train

MANIFEST = ",".join(COLUMNS) + "\n"


@pytest.fixture
def root(home: Path) -> Path:
    """12 cats and 12 dogs to train on, 4 and 4 to test on, as gathering and fetching leave them."""
    root = home / "data" / "catdog"
    for number in range(32):
        place = root / ("train" if number < 24 else "test") / ("cat", "dog")[number % 2] / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        picture(number, (80, 60)).save(place, quality=95)
    (root / "rejected/blank/cat").mkdir(parents=True)
    shutil.copy(root / "test/cat/24.jpg", root / "rejected/blank/cat/24.jpg")
    (root / "test/.source.json").write_text("{}")
    (root / "manifest.csv").write_text(MANIFEST)
    (root / "decisions.csv").write_text("file,decision\n")
    return root


def prepared(**settings: Any) -> CatDog:
    datamodule = CatDog(CatDogConfig(**({"image_size": 16} | settings)))
    datamodule.prepare_data()
    datamodule.setup()
    return datamodule


def test_gathered_photos_are_trained_on_and_the_held_out_ones_tested(root: Path) -> None:
    datamodule = prepared(val_fraction=0.25)
    assert datamodule.sizes == {"train": 18, "val": 6, "test": 8}
    assert datamodule.classes == ("cat", "dog")
    assert datamodule.positive == 1
    assert datamodule.notes == {}
    # kept a quarter larger than they are seen
    assert datamodule.image_shape == (3, 16, 16)
    assert datamodule.images("test").images.shape == (8, 3, 20, 20)


def test_the_positive_class_can_be_the_other_one(root: Path) -> None:
    assert prepared(positive_class="cat").positive == 0


def test_it_may_lie_elsewhere(root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "elsewhere")
    assert prepared(root=str(tmp_path / "elsewhere")).sizes["test"] == 8


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("train", r"train/cat, found none; `visionlab gather` .*`make gather`"),
        ("train/dog", r"train/dog, found none; `visionlab gather`"),
        ("test", r"test/cat, found none; `visionlab data kaggle` or `visionlab data petimages` .*--from PATH"),
        ("test/dog", r"test/dog, found none; `visionlab data kaggle`"),
        ("", r"train/cat, found none; `visionlab gather`"),
    ],
)
def test_what_is_missing_is_told_with_the_way_to_get_it(root: Path, gone: str, words: str) -> None:
    shutil.rmtree(root / gone)
    with pytest.raises(DataUnavailableError, match=rf"^data\.root: expected images in {root}/{words}") as caught:
        prepared()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("train", "Train", "train/cat, found none, but Train (names"),
        ("train/cat", "train/Cat", "train/cat, found none, but train/Cat (names"),
        ("train/dog", "train/dogs", "train/dog, found none, but train/dogs (names"),
        ("train/dog", "dog", "train/dog, found none, but dog (names"),
        ("test", "train/test", "test/cat, found none, but train/test (names"),
        ("test", "testing", "test/cat, found none, but testing (names"),
    ],
)
def test_a_folder_that_may_be_meant_is_named(root: Path, old: str, new: str, words: str) -> None:
    (root / old).rename(root / new)
    with pytest.raises(DataUnavailableError) as caught:
        prepared()
    assert words in str(caught.value)
    assert str(caught.value).count("found none") == 1


@pytest.mark.parametrize("left", [".DS_Store", "readme.txt", ".hidden/24.jpg", "empty/readme.txt"])
@pytest.mark.parametrize("place", ["train/cat", "test/dog"])
def test_a_folder_without_an_image_is_no_class(root: Path, left: str, place: str) -> None:
    shutil.rmtree(root / place)
    (root / place / left).parent.mkdir(parents=True)
    shutil.copy(root / "manifest.csv", root / place / left)
    with pytest.raises(DataUnavailableError, match=rf"expected images in {root}/{place}, found none; `visionlab"):
        prepared()


def test_a_folder_that_cannot_be_read_is_told(root: Path) -> None:
    shutil.rmtree(root / "test/dog")
    (root / "test/dog").write_text("")
    with pytest.raises(UserError, match=r"test/dog cannot be read: Not a directory"):
        prepared()


def test_a_root_that_cannot_be_looked_into_is_told(home: Path) -> None:
    with pytest.raises(UserError, match=r"^data\.root: .*x/labels\.csv cannot be read: File name too long"):
        prepared(root="x" * 300)


def test_a_table_of_labels_is_refused(root: Path) -> None:
    rows = ["file,label", *(f"test/{name}/{24 + number}.jpg,{name}" for number, name in enumerate(("cat", "dog")))]
    (root / "labels.csv").write_text("\n".join(rows))
    with pytest.raises(UserError, match=r"expected no .*/labels\.csv: it could name images of test/ .*data=folder"):
        prepared()


def test_what_lies_in_test_is_the_test_set_and_nothing_else(root: Path) -> None:
    for number, place in enumerate(("test/cat/test", "test/dog/train", "train/cat/test", "train/dog/val")):
        (root / place).mkdir()
        picture(50 + number, (80, 60)).save(root / place / "more.png")
    split = {file.path: file.split for file in prepared().listing.files}
    assert len(split) == 36
    assert all((name == "test") == path.startswith("test/") for path, name in split.items())


def test_other_classes_are_refused(root: Path) -> None:
    (root / "train/bird").mkdir()
    picture(99).save(root / "train/bird/99.jpg")
    with pytest.raises(UserError, match=r"expected the classes cat and dog in .*/train, found bird, cat, dog: each"):
        prepared()


def test_training_photos_that_show_test_photos_are_refused(root: Path) -> None:
    for number, label in ((24, "cat"), (25, "dog"), (26, "cat"), (27, "dog")):
        form = picture(number, (80, 60)).resize((120, 90))
        (cropped(form, 0.9) if number == 26 else form).save(root / f"train/{label}/copy{number}.png")
    with pytest.raises(UserError) as caught:
        prepared()
    message = str(caught.value)
    assert message == (
        f"{root}: 4 training images show what test images show: train/cat/copy24.png (test/cat/24.jpg), "
        "train/cat/copy26.png (test/cat/26.jpg), train/dog/copy25.png (test/dog/25.jpg), and 1 more; remove them, or "
        "run `visionlab gather` again, which leaves them out"
    )
    with pytest.raises(UserError, match="4 training images"):  # nor is it forgotten
        prepared()
    for file in root.glob("train/*/copy*"):
        file.unlink()
    assert prepared().sizes["test"] == 8


def test_copies_are_looked_for_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared()
    looked: list[int] = []
    find = leaks.find_copies

    def counting(queries: Any, references: Any) -> Any:
        looked.append(len(queries) + len(references))
        return find(queries, references)

    monkeypatch.setattr(leaks, "find_copies", counting)
    with monkeypatch.context() as patch:
        patch.setattr(decode_cache, "decode", None)
        prepared()
    assert looked == []
    picture(40, (80, 60)).save(root / "train/cat/40.jpg")
    prepared()
    assert looked == [33]


def test_broken_photos_have_no_part_in_it(root: Path) -> None:
    (root / "train/cat/0.jpg").write_text("broken")
    (root / "test/cat/24.jpg").write_text("broken")
    with pytest.raises(UserError, match="2 of 32 images cannot be read"):
        prepared()
    assert sum(prepared(on_broken="skip").sizes.values()) == 30


@pytest.mark.parametrize(("place", "words"), [("test/cat", "no test image of class 'cat'"), ("train/dog", "'dog'")])
def test_of_each_class_there_must_be_one_that_can_be_read(root: Path, place: str, words: str) -> None:
    for file in (root / place).iterdir():
        file.write_text("broken")
    with pytest.raises(UserError, match=f"{words} can be read: {root}"):
        prepared(on_broken="skip")


def test_a_moving_copy_of_a_test_photo_is_refused(root: Path) -> None:
    first, second = picture(24, (80, 60)), picture(60, (80, 60))
    first.save(root / "train/cat/moving.gif", save_all=True, append_images=[second], duration=80)
    with pytest.raises(UserError, match=r"train/cat/moving\.gif \(test/cat/24\.jpg\)"):
        prepared()


def trained(root: Path) -> Run:
    """A short run on the photos."""
    settings = ["data.image_size=16", "data.batch_size=8", "model=mlp", "model.hidden=[4]", "trainer.max_epochs=1"]
    run = train(load_train_config(["data=catdog", "tracking=off", *settings]))
    assert run is not None
    return run


def test_a_run_records_the_manifest_and_names_the_positive_class(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(root)
    tags = run.start()["tags"]
    assert len(tags["data.manifest"]) == 32
    assert tags["data.manifest"] != tags["data.fingerprint"]
    assert "rates are those of the positive class, dog" in capsys.readouterr().out
    for rate in ("roc", "precision_recall"):
        assert "dog" in (run.figures / f"{rate}.csv").read_text()
    assert tags["data.manifest"] in (run.path / "report.html").read_text(encoding="utf-8")
    # other images: others were decided for
    (root / "manifest.csv").write_text(MANIFEST + "train/cat/0.jpg,cat" + ",x" * 12 + ",keep,,\n")
    assert prepared().origin["manifest"] != tags["data.manifest"]


def test_a_run_goes_on_though_the_manifest_of_its_images_has_changed(root: Path) -> None:
    run = trained(root)
    (root / "manifest.csv").write_text(MANIFEST + "train/cat/0.jpg,cat" + ",x" * 12 + ",keep,,\n")
    longer = run.config().model_copy(update={"trainer": run.config().trainer.model_copy(update={"max_epochs": 2})})
    assert resume(run, longer) == run
    assert run.status() == "FINISHED"


def test_without_a_manifest_there_is_no_tag(root: Path) -> None:
    (root / "manifest.csv").unlink()
    assert prepared().origin == {}
