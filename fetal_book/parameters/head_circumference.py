"""Parameters of chapter 04, head circumference."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from fetal_book.parameters import fields
from fetal_book.parameters.base import ChapterParameters


class HeadCircumferenceParameters(ChapterParameters):
    """Hold the parameters of the head circumference chapter; the defaults are profile quick."""

    image_size: int = fields.image_size(
        128, "side of the square that an image is resized to", le=512, multiple_of=16
    )
    base_filters: int = Field(
        16,
        ge=2,
        le=64,
        title="filters of the first level",
        description="the U-Net doubles them at each of its four steps down",
    )
    dropout: float = fields.dropout(0.1, "fraction of features dropped in training")
    epochs: int = fields.epochs(16, "passes over the training images at full size")
    half_size_epochs: int = fields.epochs(
        32,
        "passes over images of half the side before those at full size; a quarter of "
        "the work each; the image size must then be a multiple of 32",
        title="epochs at half size",
        ge=0,
    )
    batch_size: int = fields.batch_size(8)
    learning_rate: float = fields.learning_rate(2e-3)
    loss: Literal["bce", "bce_dice"] = Field(
        "bce",
        title="loss",
        description="binary cross-entropy as in the source, or with half the soft Dice loss",
    )
    ema: float = fields.ema(0.98)
    schedule: Literal["cosine", "constant"] = fields.schedule()
    precision: Literal["auto", "float32", "bfloat16"] = fields.precision("auto")
    augment: bool = fields.augment(True, "random flips, rotation, zoom, shift and gain")
    flips: Literal["none", "left_right", "up_down", "all"] = Field(
        "up_down",
        title="flips at prediction",
        description="mirrored views whose probabilities are averaged: one, two, two or four passes",
    )
    min_groups: ClassVar[int] = 20  # a fifth is tested, and an agreement needs three of them
    n_phantoms: int = fields.n_phantoms(120, "examinations", ge=12)
    marks: bool = fields.marks()
    test_fraction: float = fields.test_fraction(0.2, "examinations")
    val_fraction: float = fields.val_fraction(
        0.1, "fraction of examinations that calibrate the interval; they choose nothing"
    )
    coverage: float = fields.coverage("fraction of heads that the prediction interval is to hold")
    source_epochs: int = fields.epochs(
        6,
        "for the re-enactment of source 003, which trained for 20",
        title="epochs of the source's protocol",
    )
    source_trainings: int = fields.source_trainings(2)
    source_half_size: bool = Field(
        True,
        title="half size for the source's protocol",
        description="re-enact it on images of half the side, at a quarter of the work",
    )
    vgg_side: int = fields.image_size(
        64,
        "side that masks are resized to in the second experiment; 256 in the source",
        title="VGG16 input",
        le=512,
    )
    vgg_weights: str = fields.weights(
        "none", "VGG16 weights", "none (random), imagenet, or the path of a weight file without top"
    )
    external_data: str = fields.further_data(
        "external data",
        "hc18, fetal_biometry_fp (callipers), or a folder in the layout of one, scored after "
        "training, such as real heads for a model trained on phantoms; empty: none",
    )
    save_model: bool = fields.save_model()
