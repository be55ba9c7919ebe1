"""What stands in the tables that predictions are written to, column by column.

The order is that of the table; ``--help`` and the page of the commands are made from it.
"""

from __future__ import annotations

ANSWERED = {
    "hc": "measured",
    "biometry": "measured",
    "anomaly": "answered",
    "ga": "predicted",
    "brain-age": "predicted",
}
"""By command, the status of a scan that got its number."""
REASON = (
    "why a cell is empty: of a scan that was declined or failed why there is no number, else "
    "column by column"
)
SIZE = {
    "pixel_size_mm": "side of a pixel in mm that the answer rests on",
    "pixel_size_from": (
        "given, table or stated in the file; and what the file states, if that is another size"
    ),
}
SIZES = {
    "bpd": "biparietal diameter of a head",
    "ofd": "occipitofrontal diameter of a head",
    "hc": "circumference of a head",
    "tad": "transverse diameter of an abdomen",
    "apad": "anteroposterior diameter of an abdomen",
    "ac": "circumference of an abdomen",
    "fl": "length of a femur's shaft",
}
"""What `predict biometry` measures, in the order of its table."""


def statuses(command: str) -> tuple[str, str, str]:
    """Return what the column ``status`` may say, the good one first.

    >>> statuses("hc")
    ('measured', 'declined', 'failed')
    """
    return ANSWERED[command], "declined", "failed"


def _status(command: str) -> str:
    good, bad, worst = statuses(command)
    return f"{good}; {bad}: it was read, and no number can be relied on; {worst}: not readable"


def _size_columns() -> dict[str, str]:
    """Return the columns of all sizes: the size and both ends of its interval."""
    columns = {}
    for name, words in SIZES.items():
        columns[f"{name}_mm"] = f"{words}, in mm"
        columns[f"{name}_low_mm"] = f"lower end of the interval of {name}_mm"
        columns[f"{name}_high_mm"] = f"upper end of the interval of {name}_mm"
    return columns


COLUMNS: dict[str, dict[str, str]] = {
    "hc": {
        "image": "name of the file",
        "status": _status("hc"),
        "hc_mm": (
            "head circumference in mm, outer edge to outer edge of the skull, or as "
            "--convention says"
        ),
        "hc_low_mm": "lower end of the interval of hc_mm",
        "hc_high_mm": "upper end of the interval of hc_mm",
        "interval_level": (
            "share of heads whose true circumference such intervals hold, for scans like those "
            "that the model was calibrated on"
        ),
        "ga_intergrowth": "age by INTERGROWTH-21st from hc_mm, completed weeks + days",
        "ga_intergrowth_days": "the same in days",
        "ga_hadlock_days": "age by Hadlock 1984 from hc_mm, in days",
        "hc_centile": "centile by INTERGROWTH-21st at the age that your table gives as ga_days",
        **SIZE,
        "cut_share": "share of the ellipse's outline that lies outside the image",
        "reason": REASON,
    },
    "biometry": {
        "image": "name of the file",
        "status": _status("biometry"),
        "plane": "what is seen: head, abdomen, femur, or other, of which nothing is measured",
        "plane_confidence": "its calibrated probability, 0 to 1",
        **SIZE,
        **_size_columns(),
        "reason": REASON,
    },
    "anomaly": {
        "image": "name of the file",
        "status": f"{_status('anomaly')}. Of a declined scan the best guess is shown",
        "label": "the most probable of the model's classes",
        "confidence": "its calibrated probability, 0 to 1",
        "second": "the next class",
        "second_confidence": "its probability",
        "third": "the third class",
        "third_confidence": "its probability",
        "one_of": "the classes that come into question, the most probable first",
        "interval_level": (
            "share of scans whose true class such sets (one_of) hold, for scans like those of the "
            "model's validation"
        ),
        "distance": "squared distance to the nearest class in the network's features",
        **SIZE,
        "reason": REASON,
    },
    "ga": {
        "scan": "name of the volume, or of the pictures that are one brain",
        "status": _status("ga"),
        "ga_days": "gestational age in days",
        "ga_weeks_days": "the same in completed weeks + days",
        "low_days": "lower end of the interval of ga_days",
        "high_days": "upper end of the interval of ga_days",
        "interval_level": (
            "share of fetuses whose true age such intervals hold, for scans like those that the "
            "model was calibrated on"
        ),
        "shape_days": (
            "the same by the image alone: by the brain's shape, its size unseen; of a run's model, "
            "by its networks"
        ),
        "volume_days": (
            "the same by the brain's volume alone: INTERGROWTH's age of the head that holds it"
        ),
        "brain_ml": "volume of the brain with its fluid in mL",
        "likeness": (
            "of the shipped model: of the brain's shape with those of its training, 1 where it is "
            "usual; of a run's: with the mean pictures of the training, 1 at most"
        ),
        "spread_days": "standard deviation between slices, views and networks, in days",
        "reason": REASON,
    },
    "brain-age": {
        "scan": "name of the file",
        "status": _status("brain-age"),
        "brain_age_years": "age in years that the brain looks like",
        "low_years": "lower end of the interval of brain_age_years",
        "high_years": "upper end of the interval of brain_age_years",
        "interval_level": (
            "share of healthy adults whose true age such intervals hold, for scans like those "
            "that the model was calibrated on"
        ),
        "csf_ml": "cerebrospinal fluid in mL of the template's space",
        "gray_ml": "gray matter, likewise",
        "white_ml": "white matter, likewise",
        "registered": "yes: the scan did not lie in MNI space, and was registered to it",
        "csf_centile": "centile of its share at the age that --ages gives",
        "gray_centile": "likewise",
        "white_centile": "likewise",
        "reason": REASON,
    },
}
"""By command, what each column means."""

EXIT_CODES = {
    "0": "at least one scan got its number",
    "3": "none did; the table with the reasons was written",
    "2": "the command or its files were not as they must be; nothing was written",
    "1": "the disk is full, or a package is missing",
}


def reason_text(declined: str, notes: dict[str, str]) -> str:
    """Return why cells are empty: why there is no number, else the notes that are not empty.

    >>> reason_text("", {"interval": "not calibrated", "hc_centile": ""})
    'interval: not calibrated'
    >>> reason_text("no head found.", {"interval": "not calibrated"})
    'no head found'
    """
    notes = {name: why for name, why in notes.items() if why}
    return (declined or "; ".join(f"{name}: {why}" for name, why in notes.items())).rstrip(".")
