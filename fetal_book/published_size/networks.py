"""The networks of the five sources: where each is trained, at which size, and what scores it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fetal_lib.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROFILE = "long"
"""Of the chapters' parameters: the published width."""

RECOUNTED = "_recounted"
"""Ends the name of a network whose batch statistics were counted anew, without dropout."""


class NetworkError(UserError, ValueError):
    """No network of the sources has the name that was asked for."""


@dataclass(frozen=True)
class SourceNetwork:
    """One network of a source, and its course in a chapter.

    Attributes
    ----------
    title : as the chapter spells it.
    chapter : that trains it.
    counted : parameters at the source's setting; a grey input has some fewer.
    side, epochs : of the source: pixels of a side, or voxels, and passes over its training part.
    data : manifest of the real set; ``phantom`` where there is none to learn from.
    metric : that stands for it, of the test part; ``watched`` the same of the validation part.
    epochs_field, side_field : parameters of the chapter that set passes and size.
    sides : that a step is measured at.
    parameters : of the chapter, over those of the profile ``long``.
    twin, twin_score : its rows in the reference runs, and of its score where that has another
        name; empty: they have none.
    variant_of : the network that it is another form of; empty for the twelve.
    rings : it learns the outline of a head as it was drawn, not the head in it.
    """

    title: str
    chapter: str
    counted: int
    side: int
    epochs: int
    data: str
    metric: str
    watched: str
    epochs_field: str = "epochs"
    side_field: str = "image_size"
    sides: tuple[int, ...] = (64, 128, 256)
    parameters: tuple[tuple[str, object], ...] = ()
    twin: str = ""
    twin_score: str = ""
    variant_of: str = ""
    rings: bool = False


def _segmenter(
    title: str,
    counted: int,
    epochs: int,
    name: str,
    twin: str | None = None,
    precision: str = "",
    **more: Any,
) -> SourceNetwork:
    own = (("networks", name), ("precision", precision))
    return SourceNetwork(
        title,
        "03_biometry_segmentation",
        counted,
        side=256,
        epochs=epochs,
        data="hc18",
        metric="dice",
        watched="val_score",
        parameters=tuple(pair for pair in own if pair[1]),
        twin=name if twin is None else twin,
        **more,
    )


def _on_three_planes(names: Iterable[str]) -> Iterator[tuple[str, SourceNetwork]]:
    """Yield the same networks on heads, abdomens and femurs: the source's combined data."""
    for name in names:
        title = f"{NETWORKS[name].title}, three planes"
        known = {"title": title, "data": "fetal_biometry_fp", "twin": "", "variant_of": name}
        yield f"{name}_planes", replace(NETWORKS[name], **known)


def _classifier(title: str, counted: int, epochs: int, name: str, field: str) -> SourceNetwork:
    return SourceNetwork(
        title,
        "02_brain_anomalies",
        counted,
        side=64,
        epochs=epochs,
        data="fetal_brain_anomalies_16",
        metric="macro_f1",
        watched="val_macro_f1",
        epochs_field=field,
        twin=name,
    )


def _heads(
    title: str, counted: int, twin: str = "", variant_of: str = "", rings: bool = False
) -> SourceNetwork:
    return SourceNetwork(
        title,
        "04_head_circumference",
        counted,
        side=256,
        epochs=20,
        data="hc18",
        metric="dice",
        watched="val_accuracy",
        parameters=(("vgg_side", 256), ("source_trainings", 1)),
        twin=twin,
        variant_of=variant_of,
        rings=rings,
    )


NETWORKS: dict[str, SourceNetwork] = {
    "vgg16_gate": SourceNetwork(
        "VGG16 + gate",
        "01_gestational_age",
        34_770_753,
        side=224,
        epochs=100,
        data="phantom",
        metric="mae_days",
        watched="val_mae",
        sides=(64, 128, 224),
        twin="vgg16_attention",
    ),
    "cnn": _classifier("CNN", 20_962_064, 30, "cnn", "epochs"),
    "separable_cnn": _classifier("Separable CNN", 612_185, 50, "separable_cnn", "separable_epochs"),
    "xception": _classifier("Xception", 20_894_264, 30, "xception", "xception_epochs"),
    "med_seg_diff": _segmenter(
        "MedSegDiff, released code",
        129_400_450,
        50,
        "med_seg_diff_released",
        "med_seg_diff",
        sides=(64, 128),
    ),
    "duck_net": _segmenter("DUCK-Net 17", 38_921_088, 50, "duck_net_17"),
    "attention_unet": _segmenter("Attention U-Net", 34_878_573, 50, "attention_unet"),
    "unext": _segmenter("UNeXt", 1_471_921, 50, "unext"),
    "unext_float32": _segmenter(
        "UNeXt in 32-bit floats", 1_471_921, 50, "unext", "", "float32", variant_of="unext"
    ),
    "trans_unet": _segmenter("TransUNet", 105_322_146, 50, "trans_unet"),
    "unet": _heads("U-Net, 16 filters", 2_164_305, "unet"),
    "unet_miswired": _heads("U-Net as wired in the source", 1_179_121, "", "unet"),
    "unet_ring": _heads("U-Net on rings", 2_164_305, "", "unet", True),
    "unet_miswired_ring": _heads(
        "U-Net as wired in the source, rings", 1_179_121, "", "unet", True
    ),
    "res_unet": SourceNetwork(
        "ResUNet 3D",
        "05_brain_age",
        24_322_148,
        side=64,
        epochs=20,
        data="oasis1",
        metric="dice",
        watched="loss",
        epochs_field="segmentation_epochs",
        side_field="segmentation_side",
        sides=(32, 64),
        twin="res_unet_reference",
        twin_score="res_unet_reference_gray_reference",
    ),
    "resnext": SourceNetwork(
        "ResNeXt 3D",
        "05_brain_age",
        25_870_465,
        side=64,
        epochs=12,
        data="oasis1",
        metric="mae_years",
        watched="val_loss",
        epochs_field="resnext_epochs",
        side_field="age_side",
        sides=(32, 64),
        twin="resnext",
    ),
}

NETWORKS |= _on_three_planes(
    ("med_seg_diff", "duck_net", "attention_unet", "unext", "trans_unet"),
)


def get_network(name: str) -> SourceNetwork:
    """Return a network of the sources.

    Raises
    ------
    NetworkError
        If none has that name; lists the names.

    Examples
    --------
    >>> get_network("unext").title, get_network("unext").side
    ('UNeXt', 256)
    """
    if name not in NETWORKS:
        guess = did_you_mean(name, NETWORKS)
        raise NetworkError(f"{name}: no such network{guess} known: {', '.join(NETWORKS)}")
    return NETWORKS[name]
