"""Parameters of chapter 05, brain age."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fetal_book.parameters import fields
from fetal_book.parameters.base import ChapterParameters


class BrainAgeParameters(ChapterParameters):
    """Hold the parameters of the brain age chapter; the defaults are profile quick."""

    n_phantoms: int = fields.n_phantoms(45, "subjects", ge=12, made_up="brains")
    n_teachers: int = fields.subjects(
        12,
        "phantoms that teach segmentation",
        "brains made up besides, whose true labels train the segmenter on any data",
        ge=4,
    )
    n_segmentation: int = fields.subjects(
        8,
        "subjects that teach segmentation",
        "subjects of the data set that train the second segmenter, on reference "
        "labels; their ages train, and are never tested",
        ge=2,
    )
    n_folds: int = fields.folds(5, "each subject is tested in one of them", title="outer folds")
    n_inner: int = fields.folds(
        4, "folds of each training part, on which everything is chosen", title="inner folds"
    )
    segmentation_spacing_mm: float = fields.spacing_mm(
        2.0,
        "voxel of the segmenter",
        "3 in the source, with 1.5 as the other setting",
        ge=1.0,
        le=6.0,
    )
    segmentation_side: int = fields.cube_side(
        96,
        "cube of the segmenter",
        "voxels along each axis of the cube; 64 in the source, 128 at 1.5 mm",
    )
    segmentation_width: int = Field(
        8,
        ge=2,
        le=64,
        title="channels of the segmenter",
        description="of the first level; doubled at each of four poolings; 32 in the source",
    )
    segmentation_intensity: Literal["white", "z_score"] = Field(
        "white",
        title="intensity of the segmenter",
        description="white: evened out and scaled to white matter; z_score: mean 0 and variance 1 "
        "in the brain, as in the source",
    )
    pooling: Literal["readme", "code"] = Field(
        "readme",
        title="pooling",
        description="readme: 2 x 2 x 2 as the source describes; code: 1 x 2 x 2 as it runs",
    )
    segmentation_crop: int = fields.cube_side(
        32, "crop", "side of the random cubes that train the segmenter; 0: whole volumes", ge=0
    )
    segmentation_epochs: int = fields.epochs(
        40, "20 in the source", title="epochs of the segmenter"
    )
    segmentation_batch: int = Field(
        2, ge=1, le=64, title="batch of the segmenter", description="2 in the source"
    )
    segmentation_rate: float = fields.learning_rate(
        0.015, "peak rate of Adam; 1e-3 in the source", title="learning rate of the segmenter"
    )
    age_spacing_mm: float = fields.spacing_mm(
        6.0, "voxel of the age networks", "3 in the source", ge=1.5, le=8.0
    )
    age_side: int = fields.cube_side(
        32, "cube of the age networks", "voxels along each axis; 64 in the source"
    )
    age_networks: bool = Field(
        True, title="age networks", description="train ResNeXt and SFCN; otherwise skip approach B"
    )
    resnext_width: int = Field(
        16, ge=4, le=256, title="channels of the ResNeXt", description="128 in the source"
    )
    resnext_cardinality: int = Field(
        8, ge=1, le=64, title="cardinality", description="groups of its convolutions; 32 there"
    )
    resnext_blocks: Literal["1111", "3463"] = Field(
        "1111", title="blocks of the ResNeXt", description="of its four stages; 3463 in the source"
    )
    resnext_epochs: int = fields.epochs(12, "12 in the source", title="epochs of the ResNeXt")
    resnext_rate: float = fields.learning_rate(
        1e-3,
        "1e-4 in the source, for a network eight times as wide",
        title="learning rate of the ResNeXt",
    )
    sfcn_width: int = Field(8, ge=2, le=64, title="channels of SFCN", description="32 as published")
    sfcn_epochs: int = fields.epochs(18, "passes", title="epochs of SFCN")
    sfcn_rate: float = fields.learning_rate(
        3e-3, "peak rate of Adam", title="learning rate of SFCN"
    )
    age_batch: int = Field(
        8, ge=2, le=64, title="batch of the age networks", description="4 in the source"
    )
    schedule: Literal["cosine", "constant"] = fields.schedule()
    coverage: float = fields.coverage(
        "fraction of subjects that the prediction interval is to hold"
    )
    occluded: int = Field(
        4,
        ge=1,
        le=100,
        title="explained subjects",
        description="tested subjects whose occlusion and Grad-CAM maps are averaged",
    )
    uneven_scans: int = Field(
        4,
        ge=1,
        le=100,
        title="unevenly bright scans",
        description="tested subjects, evenly over ages, whose scans are made unevenly bright by "
        "known fields",
    )
    source_epochs: int = fields.epochs(
        8,
        "of the re-enactment, where the best one is picked on the test part",
        title="epochs of the source's protocol",
    )
    source_trainings: int = fields.source_trainings(1)
    external_data: str = fields.further_data(
        "external data",
        "folder of adults with a dementia rating (cdr, mmse) in their table, whose brain-age gap "
        "is compared with that of healthy people of their age and sex; empty: none",
    )
    save_model: bool = fields.save_model("write the model and its card to model/")
