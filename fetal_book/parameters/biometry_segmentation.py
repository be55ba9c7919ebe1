"""Parameters of chapter 03, five segmentation networks and biometry."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fetal_book.parameters.base import ChapterParameters

ALL = "unet,attention_unet,duck_net_17,unext,trans_unet,med_seg_diff"


class BiometrySegmentationParameters(ChapterParameters):
    """Hold the parameters of the segmentation chapter; the defaults are profile quick."""

    also: str = Field(
        "",
        title="second data set",
        description="a folder or manifest whose images join those of data; results are given per "
        "source and pooled; empty: none",
        json_schema_extra={"path": True, "data": True},
    )
    networks: str = Field(
        ALL,
        min_length=1,
        title="networks",
        description="names, separated by commas, of fetal_lib.models.segmentation_networks",
    )
    size: Literal["narrow", "published"] = Field(
        "narrow",
        title="size of the networks",
        description="narrow: a small fraction of the published operations; published: all of them",
    )
    image_size: int = Field(
        64,
        ge=32,
        le=512,
        multiple_of=32,
        title="image size",
        description="side of the square that an image is resized to",
        json_schema_extra={"unit": "px"},
    )
    epochs: int = Field(
        33, ge=1, le=1000, title="epochs", description="passes over the training images, for all"
    )
    batch_size: int = Field(
        8,
        ge=1,
        le=256,
        title="batch size",
        description="images in one step on one device",
        json_schema_extra={"unit": "images"},
    )
    learning_rate: float = Field(
        3e-3, gt=0, le=1, title="learning rate", description="peak learning rate of AdamW"
    )
    patience: int = Field(
        0,
        ge=0,
        le=1000,
        title="patience",
        description="epochs without a lower validation loss before training stops; 0: never, and "
        "the last weights are kept",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "float32",
        title="precision",
        description="of training; auto: 16-bit brain floats where the processor or the graphics "
        "card computes in them, 32-bit elsewhere",
    )
    devices: int = Field(
        1, ge=1, le=64, title="devices", description="graphics cards, or processes, on each node"
    )
    nodes: int = Field(1, ge=1, le=64, title="nodes", description="machines that train together")
    strategy: str = Field(
        "auto",
        min_length=1,
        title="strategy",
        description="of Lightning, for several devices: auto, ddp, fsdp",
    )
    augment: bool = Field(
        True, title="augmentation", description="random flips, rotation, zoom, shift and gain"
    )
    n_phantoms: int = Field(
        80,
        ge=8,
        le=5000,
        title="phantom fetuses",
        description="fetuses with a head and an abdomen each that are made up when data is phantom",
        json_schema_extra={"unit": "fetuses"},
    )
    marks: bool = Field(
        True, title="marks", description="draw text and caliper marks into the phantoms"
    )
    test_fraction: float = Field(
        0.25, ge=0.05, le=0.6, title="test part", description="fraction of subjects held out"
    )
    val_fraction: float = Field(
        0.15,
        ge=0.05,
        le=0.5,
        title="validation part",
        description="fraction of subjects that chooses the best network, and stops training if "
        "patience is set",
    )
    predicts: Literal["noise", "mask"] = Field(
        "mask",
        title="diffusion predicts",
        description="what the denoiser's output is: noise as published, or the mask, which short "
        "training serves better",
    )
    signal: float = Field(
        0.1,
        gt=0,
        le=1,
        title="signal of the diffusion",
        description="factor of the noise schedule's signal-to-noise ratio; 1 as published; less "
        "hides the mask, so that short training learns to look at the image",
    )
    anchor_every: int = Field(
        1,
        ge=1,
        le=100,
        title="anchor loss every",
        description="time steps that this number divides get the anchor loss; 5 in the paper",
    )
    sampling_steps: int = Field(
        10, ge=1, le=50, title="sampling steps", description="DDIM steps; the training has 1000"
    )
    ancestral_steps: int = Field(
        250,
        ge=2,
        le=1000,
        title="ancestral steps",
        description="drawn steps of the sample that DDIM is compared with, on a few images",
    )
    members: int = Field(
        5, ge=1, le=50, title="ensemble", description="masks sampled for each image"
    )
    fusion: Literal["staple", "mean", "majority"] = Field(
        "staple", title="fusion", description="of the ensemble's masks"
    )
    robust_images: int = Field(
        8,
        ge=1,
        le=1000,
        title="images that are changed",
        description="test images of the robustness checks, evenly spaced",
        json_schema_extra={"unit": "images"},
    )
    source_epochs: int = Field(
        12,
        ge=1,
        le=1000,
        title="epochs of the source's protocol",
        description="for the U-Net of the re-enactment",
    )
    save_model: bool = Field(
        True, title="save the model", description="write the best network to model/"
    )
