"""Parameters of chapter 03, five segmentation networks and biometry."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fetal_book.parameters import fields
from fetal_book.parameters.base import ChapterParameters

ALL = "unet,attention_unet,duck_net_17,unext,trans_unet,med_seg_diff"


class BiometrySegmentationParameters(ChapterParameters):
    """Hold the parameters of the segmentation chapter; the defaults are profile quick."""

    also: str = fields.further_data(
        "second data set",
        "a folder or manifest whose images join those of data; results are given per "
        "source and pooled; empty: none",
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
    image_size: int = fields.image_size(
        64, "side of the square that an image is resized to", le=512, multiple_of=32
    )
    epochs: int = fields.epochs(33, "passes over the training images, for all")
    batch_size: int = fields.batch_size(8, "images in one step on one device")
    learning_rate: float = fields.learning_rate(3e-3, "peak learning rate of AdamW")
    patience: int = Field(
        0,
        ge=0,
        le=1000,
        title="patience",
        description="epochs without a lower validation loss before training stops; 0: never, and "
        "the last weights are kept",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = fields.precision()
    devices: int = Field(
        1, ge=1, le=64, title="devices", description="graphics cards, or processes, of this machine"
    )
    strategy: str = Field(
        "auto",
        min_length=1,
        title="strategy",
        description="of Lightning, for several devices: auto or ddp_notebook in a notebook",
    )
    augment: bool = fields.augment(True, "random flips, rotation, zoom, shift and gain")
    n_phantoms: int = fields.n_phantoms(
        80, "fetuses", ge=8, made_up="fetuses with a head and an abdomen each"
    )
    marks: bool = fields.marks()
    test_fraction: float = fields.test_fraction(0.25, "subjects")
    val_fraction: float = fields.val_fraction(
        0.15,
        "fraction of subjects that chooses the best network, and stops training if patience is set",
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
        5, ge=1, le=50, title="sampling steps", description="DDIM steps; the training has 1000"
    )
    ancestral_steps: int = Field(
        50,
        ge=2,
        le=1000,
        title="ancestral steps",
        description="drawn steps of the sample that DDIM is compared with, on a few images",
    )
    members: int = Field(
        3, ge=1, le=50, title="ensemble", description="masks sampled for each image"
    )
    fusion: Literal["staple", "mean", "majority"] = Field(
        "staple", title="fusion", description="of the ensemble's masks"
    )
    convention: Literal["outer-outer", "outer-inner"] = Field(
        "outer-outer",
        title="convention of the BPD",
        description="how BPD was measured on the data: to the outer or to the inner edge of the "
        "far skull; each formula of age and weight gets the one that it was made for",
    )
    robust_images: int = Field(
        6,
        ge=1,
        le=1000,
        title="images that are changed",
        description="test images of the robustness checks, evenly spaced",
        json_schema_extra={"unit": "images"},
    )
    source_epochs: int = fields.epochs(
        12, "for the U-Net of the re-enactment", title="epochs of the source's protocol"
    )
    source_trainings: int = fields.source_trainings(1)
    save_model: bool = fields.save_model("write the best network to model/")
