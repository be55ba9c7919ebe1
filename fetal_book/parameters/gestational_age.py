"""Parameters of chapter 01, gestational age."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fetal_book.parameters import fields
from fetal_book.parameters.base import ChapterParameters


class GestationalAgeParameters(ChapterParameters):
    """Hold the parameters of the gestational age chapter; the defaults are profile quick."""

    n_phantoms: int = fields.n_phantoms(120, "fetuses", ge=20)
    spacing_mm: float = fields.spacing_mm(
        1.5, "voxel of the phantoms", "edge of a voxel", ge=0.6, le=3.0
    )
    image_size: int = fields.image_size(
        48, "side of the square that a slice is cut to; 224 in the source", le=512
    )
    n_slices: int = Field(
        6,
        ge=1,
        le=40,
        title="slices of a plane",
        description="slices around the middle of the brain, in each plane",
    )
    size_normalised: bool = Field(
        True,
        title="normalise the size away",
        description="cut every brain to the same share of the picture: what shape alone tells; "
        "otherwise a pixel is the same length in every fetus",
    )
    planes: Literal["all", "two", "axial", "coronal", "sagittal"] = Field(
        "all", title="planes", description="all three, axial and coronal, or one"
    )
    backbone: Literal["vgg16", "xception", "resnet50"] = Field(
        "vgg16", title="backbone", description="network that reads each plane"
    )
    width: float = fields.width(0.125, "share of VGG16's channels; 1 in the source", le=1)
    batch_norm: bool = Field(
        True,
        title="batch normalisation",
        description="after each convolution and the dense layer; not in the source",
    )
    n_pools: int = Field(
        3,
        ge=1,
        le=5,
        title="poolings",
        description="blocks of VGG16 that halve the size; 5 in the source; fewer keep a finer grid",
    )
    weights: str = fields.weights(
        "none", "weights", "none (random), imagenet, or the path of a weight file without top"
    )
    fine_tune_last: int = Field(
        100,
        ge=0,
        le=1000,
        title="fine-tuning depth",
        description="last layers of the backbone that are trained; VGG16 has 19",
    )
    hidden: int = Field(
        64, ge=2, le=4096, title="dense units", description="before the output; 256 in the source"
    )
    dropout: float = fields.dropout(0.1, "of the dense layer; 0.5 in the source")
    epochs: int = fields.epochs(8, "at most so many passes over the slices")
    batch_size: int = Field(
        8, ge=1, le=256, title="batch size", description="samples in one step; 8 as in the source"
    )
    learning_rate: float = fields.learning_rate(2e-3, "of Adam; 1e-4 in the source")
    schedule: Literal["cosine", "plateau"] = fields.schedule(
        "cosine: along a cosine; plateau: halved when the validation error stalls, as in the source"
    )
    scale_target: bool = Field(
        True,
        title="scale the target",
        description="learn standard deviations instead of days, which the source learns",
    )
    augment: bool = fields.augment(
        False, "random shift, turn, size, gain and mirroring; not in the source"
    )
    n_folds: int = fields.folds(4, "each tested once")
    coverage: float = fields.coverage("fraction of fetuses that the prediction interval is to hold")
    leak_folds: int = fields.folds(
        1,
        "how many of its folds over slices are trained; the source trains all five",
        title="folds of the source's protocol",
        ge=1,
    )
    source_trainings: int = fields.source_trainings(1)
    ablation: bool = Field(
        False,
        title="plane ablation",
        description="train one fold on each plane alone and on two planes as well; at width 1 with "
        "the other backbones, too",
    )
    explained: int = Field(
        6, ge=2, le=100, title="explained fetuses", description="whose maps are made and checked"
    )
    n_stacks: int = fields.subjects(
        6, "fetuses in raw stacks", "phantoms scanned in three stacks of thick slices each", ge=1
    )
    external_data: str = fields.further_data(
        "external data",
        "folder or manifest's name of fetal MRI that is scored after training, such as "
        "atlas templates; empty: none",
    )
    save_model: bool = fields.save_model()
