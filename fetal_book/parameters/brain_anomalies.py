"""Parameters of chapter 02, brain anomalies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fetal_book.parameters import fields
from fetal_book.parameters.base import ChapterParameters


class BrainAnomaliesParameters(ChapterParameters):
    """Hold the parameters of the brain anomalies chapter; the defaults are profile quick."""

    image_size: int = fields.image_size(
        64, "side of the square that a network sees; 64 in the source", le=320
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
    cnn_width: float = fields.width(0.25, "factor on filters and units", title="width of the CNN")
    separable_width: float = fields.width(
        1.0, "factor on filters, units", title="width of the separable CNN"
    )
    xception_width: float = fields.width(0.25, "factor on filters", title="width of Xception")
    xception_middle: int = Field(
        1, ge=0, le=16, title="middle modules", description="of Xception; 8 in the paper"
    )
    xception_weights: str = fields.weights(
        "measures",
        "Xception weights",
        "measures (shipped, of width 0.25 with 1 middle module: learnt to measure "
        "other phantoms), none (random), imagenet (width 1, 8 middle modules), or the path of a "
        "weight file without top",
    )
    epochs: int = fields.epochs(14, "of the CNN")
    xception_epochs: int = fields.epochs(
        10, "from random weights; it learns longest", title="epochs of Xception"
    )
    fine_tune_epochs: int = fields.epochs(
        0,
        "where Xception starts from weights: its class layer is fitted first, then all "
        "layers for so long; 0: the class layer alone",
        title="epochs of fine-tuning",
        ge=0,
    )
    fine_tune_learning_rate: float = fields.learning_rate(
        5e-4, "low, so that what was learnt is not lost", title="learning rate of fine-tuning"
    )
    separable_epochs: int = fields.epochs(
        14, "an epoch costs little", title="epochs of the separable CNN"
    )
    batch_size: int = fields.batch_size(32, ge=2, le=512)
    learning_rate: float = fields.learning_rate(1e-3)
    xception_learning_rate: float = fields.learning_rate(
        3e-3,
        "every convolution of it is normalised, so that it bears longer steps",
        title="learning rate of Xception",
    )
    ema: float = fields.ema(0.0)
    schedule: Literal["cosine", "constant"] = fields.schedule()
    balance: Literal["none", "weights", "oversample"] = Field(
        "weights",
        title="balance",
        description="of rare classes in training: weights in the loss, or drawn more often",
    )
    label_smoothing: float = Field(
        0.05, ge=0, le=0.5, title="label smoothing", description="target spread over all classes"
    )
    augment: bool = fields.augment(True, "random flips, rotation, scale, shift and gain")
    precision: Literal["auto", "float32", "bfloat16"] = fields.precision()
    n_phantoms: int = fields.n_phantoms(1000, "patients", ge=48, le=20000, made_up="fetuses")
    marks: bool = fields.marks()
    test_fraction: float = fields.test_fraction(0.15, "patients")
    val_fraction: float = fields.val_fraction(
        0.15, "fraction of patients that choose hyper-parameters, temperature and limits"
    )
    coverage: float = fields.coverage("share of sets that hold the true class")
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
        0,
        ge=0,
        le=1000,
        title="trials of the search",
        description="hyper-parameter sets of a network that Optuna tries; 0: no search",
    )
    search_networks: Literal["separable_cnn", "all"] = Field(
        "separable_cnn", title="networks of the search", description="each has its own trials"
    )
    search_epochs: int = fields.epochs(
        4, "each trial trains for so long", title="epochs of a trial"
    )
    cv_folds: int = fields.folds(
        0,
        "of the cross-validation of the separable CNN over training and validation "
        "patients; 0: none",
        ge=0,
    )
    cv_epochs: int = fields.epochs(6, "each fold trains for so long", title="epochs of a fold")
    cv_filters: bool = Field(
        False,
        title="folds with filters",
        description="the folds are trained with each filter against noise too",
    )
    few_repeats: int = Field(
        0,
        ge=0,
        le=20,
        title="repeats of few pictures",
        description="linear layers on frozen features, five folds over cases so often; real sets "
        "only; 0: none",
    )
    source_epochs: int = fields.epochs(
        8, "for the re-enactment of source 001", title="epochs of the source's protocol"
    )
    source_trainings: int = fields.source_trainings(1)
    source_networks: Literal["separable_cnn", "cnns", "all"] = Field(
        "separable_cnn",
        title="networks of the source's protocol",
        description="which are trained step by step at their published size, on real data only; "
        "cnns: the CNN too; all: Xception too, by far the slowest",
    )
    source_folds: int = Field(
        5,
        ge=1,
        le=5,
        title="folds of the source's protocol",
        description="of five, that the separable CNN is tested on there, on real data",
    )
    source_wide_epochs: int = fields.epochs(
        8, "of the CNN and Xception there", title="epochs of the wide networks"
    )
    external_data: str = fields.further_data(
        "external data",
        "folder or manifest's name scored after training, in any format that the "
        "loader reads; empty: none",
    )
    save_model: bool = fields.save_model()
