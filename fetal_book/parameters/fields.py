"""Parameters that several chapters have: their range, title and unit are written once."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def image_size(default: int, description: str, title: str = "image size", **limits: int) -> Any:
    """Side of the square that a network sees, in pixels, from 32 on."""
    unit = {"unit": "px"}
    return Field(
        default, ge=32, **limits, title=title, description=description, json_schema_extra=unit
    )


def cube_side(default: int, title: str, description: str, ge: int = 16) -> Any:
    """Side of the cube that a network of volumes sees."""
    limits = {"ge": ge, "le": 256, "multiple_of": 16}
    unit = {"unit": "voxels"}
    return Field(default, **limits, title=title, description=description, json_schema_extra=unit)


def spacing_mm(default: float, title: str, description: str, ge: float, le: float) -> Any:
    """Edge of a voxel."""
    unit = {"unit": "mm"}
    return Field(
        default, ge=ge, le=le, title=title, description=description, json_schema_extra=unit
    )


def subjects(default: int, title: str, description: str, ge: int) -> Any:
    """How many persons something is done with."""
    unit = {"unit": "subjects"}
    return Field(
        default, ge=ge, le=1000, title=title, description=description, json_schema_extra=unit
    )


def folds(default: int, description: str, title: str = "folds", ge: int = 2) -> Any:
    """Parts of a cross-validation."""
    return Field(default, ge=ge, le=20, title=title, description=description)


def source_trainings(default: int) -> Any:
    """How often the re-enactment of a source is trained."""
    return Field(
        default,
        ge=1,
        le=20,
        title="trainings of the source's protocol",
        description="each by another seed; intervals then hold the luck of training",
    )


def width(default: float, description: str, title: str = "width", le: int = 2) -> Any:
    """Share of a network's published channels."""
    return Field(default, gt=0, le=le, title=title, description=description)


def dropout(default: float, description: str) -> Any:
    """Share of features that are left out in training."""
    return Field(default, ge=0, le=0.9, title="dropout", description=description)


def epochs(default: int, description: str, title: str = "epochs", ge: int = 1) -> Any:
    """Passes over the training part."""
    return Field(default, ge=ge, le=1000, title=title, description=description)


def learning_rate(
    default: float, description: str = "peak learning rate of Adam", title: str = "learning rate"
) -> Any:
    """Step of an optimiser."""
    return Field(default, gt=0, le=1, title=title, description=description)


def batch_size(
    default: int, description: str = "images in one step", ge: int = 1, le: int = 256
) -> Any:
    """Images in one step."""
    texts = {"title": "batch size", "description": description}
    return Field(default, ge=ge, le=le, **texts, json_schema_extra={"unit": "images"})


def ema(default: float) -> Any:
    """How slowly the weights that are kept follow those of the last step."""
    return Field(
        default,
        ge=0,
        lt=1,
        title="weight averaging",
        description="momentum of the moving average of weights that is kept; 0: the last weights",
    )


def schedule(
    description: str = "cosine: a warm-up and a cosine; constant: it stays, as in the source",
) -> Any:
    """How the learning rate changes while a network trains."""
    return Field("cosine", title="learning-rate schedule", description=description)


def precision(default: str = "float32") -> Any:
    """Bits of a number in training."""
    return Field(
        default,
        title="precision",
        description="of training; auto: 16-bit brain floats where the processor or the graphics "
        "card computes in them, 32-bit elsewhere",
    )


def augment(default: bool, description: str) -> Any:
    """Whether training images are changed at random."""
    return Field(default, title="augmentation", description=description)


def marks() -> Any:
    """Whether phantoms look like scans that a sonographer saved."""
    return Field(True, title="marks", description="draw text and caliper marks into the phantoms")


def n_phantoms(default: int, noun: str, ge: int, le: int = 5000, made_up: str = "") -> Any:
    """How many cases are drawn where no data set is given."""
    return Field(
        default,
        ge=ge,
        le=le,
        title=f"phantom {noun}",
        description=f"{made_up or noun} that are made up when data is phantom",
        json_schema_extra={"unit": noun},
    )


def test_fraction(default: float, of: str) -> Any:
    """Share of cases that is touched once, at the end."""
    description = f"fraction of {of} held out"
    return Field(default, ge=0.05, le=0.6, title="test part", description=description)


def val_fraction(default: float, description: str) -> Any:
    """Share of cases that choose or calibrate."""
    return Field(default, ge=0.05, le=0.5, title="validation part", description=description)


def coverage(description: str) -> Any:
    """Promise of the prediction intervals or sets."""
    return Field(0.9, ge=0.5, lt=1, title="coverage", description=description)


def weights(default: str, title: str, description: str) -> Any:
    """Where a backbone starts."""
    extra = {"path": True}
    texts = {"title": title, "description": description}
    return Field(default, min_length=1, **texts, json_schema_extra=extra)


def further_data(title: str, description: str) -> Any:
    """A data set beside the chapter's own; empty: none."""
    extra = {"path": True, "data": True}
    return Field("", title=title, description=description, json_schema_extra=extra)


def save_model(description: str = "write weights and model card to model/") -> Any:
    """Whether the fitted model is kept for `fetal-lib predict`."""
    return Field(True, title="save the model", description=description)
