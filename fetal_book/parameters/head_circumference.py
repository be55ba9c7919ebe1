"""Parameters of chapter 04, head circumference."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fetal_book.parameters.base import ChapterParameters


class HeadCircumferenceParameters(ChapterParameters):
    """Hold the parameters of the head circumference chapter; the defaults are profile quick."""

    image_size: int = Field(
        128,
        ge=32,
        le=512,
        multiple_of=16,
        title="image size",
        description="side of the square that an image is resized to",
        json_schema_extra={"unit": "px"},
    )
    base_filters: int = Field(
        16,
        ge=2,
        le=64,
        title="filters of the first level",
        description="the U-Net doubles them at each of its four steps down",
    )
    dropout: float = Field(
        0.1, ge=0, le=0.9, title="dropout", description="fraction of features dropped in training"
    )
    epochs: int = Field(
        14,
        ge=1,
        le=1000,
        title="epochs",
        description="passes over the training images at full size",
    )
    half_size_epochs: int = Field(
        36,
        ge=0,
        le=1000,
        title="epochs at half size",
        description="passes over images of half the side before those at full size; a quarter of "
        "the work each; the image size must then be a multiple of 32",
    )
    batch_size: int = Field(
        8,
        ge=1,
        le=256,
        title="batch size",
        description="images in one step",
        json_schema_extra={"unit": "images"},
    )
    learning_rate: float = Field(
        2e-3, gt=0, le=1, title="learning rate", description="peak learning rate of Adam"
    )
    loss: Literal["bce", "bce_dice"] = Field(
        "bce",
        title="loss",
        description="binary cross-entropy as in the source, or with half the soft Dice loss",
    )
    ema: float = Field(
        0.995,
        ge=0,
        lt=1,
        title="weight averaging",
        description="momentum of the moving average of weights that is kept; 0: the last weights",
    )
    schedule: Literal["cosine", "constant"] = Field(
        "cosine",
        title="learning-rate schedule",
        description="cosine: a warm-up and a cosine; constant: it stays, as in the source",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "float32",
        title="precision",
        description="of training; auto: 16-bit brain floats where the processor or the graphics "
        "card computes in them, 32-bit elsewhere",
    )
    augment: bool = Field(
        True, title="augmentation", description="random flips, rotation, zoom, shift and gain"
    )
    flips: Literal["none", "left_right", "up_down", "all"] = Field(
        "up_down",
        title="flips at prediction",
        description="mirrored views whose probabilities are averaged: one, two, two or four passes",
    )
    n_phantoms: int = Field(
        120,
        ge=12,
        le=5000,
        title="phantom examinations",
        description="examinations that are made up when data is phantom",
        json_schema_extra={"unit": "examinations"},
    )
    marks: bool = Field(
        True, title="marks", description="draw text and caliper marks into the phantoms"
    )
    test_fraction: float = Field(
        0.2, ge=0.05, le=0.6, title="test part", description="fraction of examinations held out"
    )
    val_fraction: float = Field(
        0.1,
        ge=0.05,
        le=0.5,
        title="validation part",
        description="fraction of examinations that calibrate the interval; they choose nothing",
    )
    coverage: float = Field(
        0.9,
        ge=0.5,
        lt=1,
        title="coverage",
        description="fraction of heads that the prediction interval is to hold",
    )
    source_epochs: int = Field(
        6,
        ge=1,
        le=1000,
        title="epochs of the source's protocol",
        description="for the re-enactment of source 003, which trained for 20",
    )
    source_half_size: bool = Field(
        True,
        title="half size for the source's protocol",
        description="re-enact it on images of half the side, at a quarter of the work",
    )
    vgg_side: int = Field(
        96,
        ge=32,
        le=512,
        title="VGG16 input",
        description="side that masks are resized to in the second experiment; 256 in the source",
        json_schema_extra={"unit": "px"},
    )
    vgg_weights: str = Field(
        "none",
        min_length=1,
        title="VGG16 weights",
        description="none (random), imagenet, or the path of a weight file without top",
        json_schema_extra={"path": True},
    )
    external_data: str = Field(
        "",
        title="external data",
        description="hc18, or a folder in its layout, scored after training, such as real heads "
        "for a model trained on phantoms; empty: none",
        json_schema_extra={"path": True, "data": True},
    )
    save_model: bool = Field(
        True, title="save the model", description="write weights and model card to model/"
    )
