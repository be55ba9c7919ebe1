"""Parameters of chapter 02, brain anomalies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fetal_book.parameters.base import ChapterParameters


class BrainAnomaliesParameters(ChapterParameters):
    """Hold the parameters of the brain anomalies chapter; the defaults are profile quick."""

    image_size: int = Field(
        64,
        ge=32,
        le=320,
        title="image size",
        description="side of the square that a network sees; 64 in the source",
        json_schema_extra={"unit": "px"},
    )
    view: Literal["head", "whole"] = Field(
        "head",
        title="view",
        description="head: the scan turned, cut around the head that a shipped network finds, "
        "with a scale bar; whole: squashed as in the source",
    )
    denoise: Literal["none", "median", "bilateral", "nlm", "srad"] = Field(
        "none", title="filter", description="against speckle, before every network"
    )
    cnn_width: float = Field(
        0.25, gt=0, le=2, title="width of the CNN", description="factor on filters and units"
    )
    separable_width: float = Field(
        1.0, gt=0, le=2, title="width of the separable CNN", description="factor on filters, units"
    )
    xception_width: float = Field(
        0.25, gt=0, le=2, title="width of Xception", description="factor on filters"
    )
    xception_middle: int = Field(
        1, ge=0, le=16, title="middle modules", description="of Xception; 8 in the paper"
    )
    xception_weights: str = Field(
        "measures",
        min_length=1,
        title="Xception weights",
        description="measures (shipped, of width 0.25 with 1 middle module: learnt to measure "
        "other phantoms), none (random), imagenet (width 1, 8 middle modules), or the path of a "
        "weight file without top",
        json_schema_extra={"path": True},
    )
    epochs: int = Field(14, ge=1, le=1000, title="epochs", description="of the CNN")
    xception_epochs: int = Field(
        10,
        ge=1,
        le=1000,
        title="epochs of Xception",
        description="from random weights; it learns longest",
    )
    fine_tune_epochs: int = Field(
        0,
        ge=0,
        le=1000,
        title="epochs of fine-tuning",
        description="where Xception starts from weights: its class layer is fitted first, then all "
        "layers for so long; 0: the class layer alone",
    )
    fine_tune_learning_rate: float = Field(
        5e-4,
        gt=0,
        le=1,
        title="learning rate of fine-tuning",
        description="low, so that what was learnt is not lost",
    )
    separable_epochs: int = Field(
        14, ge=1, le=1000, title="epochs of the separable CNN", description="an epoch costs little"
    )
    batch_size: int = Field(
        32,
        ge=2,
        le=512,
        title="batch size",
        description="images in one step",
        json_schema_extra={"unit": "images"},
    )
    learning_rate: float = Field(
        1e-3, gt=0, le=1, title="learning rate", description="peak learning rate of Adam"
    )
    xception_learning_rate: float = Field(
        3e-3,
        gt=0,
        le=1,
        title="learning rate of Xception",
        description="every convolution of it is normalised, so that it bears longer steps",
    )
    ema: float = Field(
        0.0,
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
    balance: Literal["none", "weights", "oversample"] = Field(
        "weights",
        title="balance",
        description="of rare classes in training: weights in the loss, or drawn more often",
    )
    label_smoothing: float = Field(
        0.05, ge=0, le=0.5, title="label smoothing", description="target spread over all classes"
    )
    augment: bool = Field(
        True, title="augmentation", description="random flips, rotation, scale, shift and gain"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "float32",
        title="precision",
        description="of training; auto: 16-bit brain floats where the processor or the graphics "
        "card computes in them, 32-bit elsewhere",
    )
    n_phantoms: int = Field(
        1000,
        ge=48,
        le=20000,
        title="phantom patients",
        description="fetuses that are made up when data is phantom",
        json_schema_extra={"unit": "patients"},
    )
    marks: bool = Field(
        True, title="marks", description="draw text and caliper marks into the phantoms"
    )
    test_fraction: float = Field(
        0.15, ge=0.05, le=0.6, title="test part", description="fraction of patients held out"
    )
    val_fraction: float = Field(
        0.15,
        ge=0.05,
        le=0.5,
        title="validation part",
        description="fraction of patients that choose hyper-parameters, temperature and limits",
    )
    coverage: float = Field(
        0.9, ge=0.5, lt=1, title="coverage", description="share of sets that hold the true class"
    )
    target_accuracy: float = Field(
        0.95,
        ge=0.3,
        le=1,
        title="accuracy of answers",
        description="reached on validation by handing the least sure images back",
    )
    accepted: float = Field(
        0.95,
        ge=0.5,
        lt=1,
        title="accepted",
        description="share of validation images that the strangeness limit lets through",
    )
    search_trials: int = Field(
        2,
        ge=0,
        le=1000,
        title="trials of the search",
        description="hyper-parameter sets of the separable CNN that Optuna tries; 0: no search",
    )
    search_epochs: int = Field(
        4, ge=1, le=1000, title="epochs of a trial", description="each trial trains for so long"
    )
    cv_folds: int = Field(
        2,
        ge=0,
        le=20,
        title="folds",
        description="of the cross-validation of the separable CNN over training and validation "
        "patients; 0: none",
    )
    cv_epochs: int = Field(
        6, ge=1, le=1000, title="epochs of a fold", description="each fold trains for so long"
    )
    source_epochs: int = Field(
        8,
        ge=1,
        le=1000,
        title="epochs of the source's protocol",
        description="for the re-enactment of source 001",
    )
    external_data: str = Field(
        "",
        title="external data",
        description="folder or manifest's name scored after training, in any format that the "
        "loader reads; empty: none",
        json_schema_extra={"path": True, "data": True},
    )
    save_model: bool = Field(
        True, title="save the model", description="write weights and model card to model/"
    )
