"""Write sets of brain anomaly phantoms: images, lesion masks, one table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fetal_phantoms.anomalies.labels import LABELS
from fetal_phantoms.anomalies.phantom import IMAGE_SIZE, check_request, make_anomaly
from fetal_phantoms.set_folder import (
    new_folder,
    subject_seed,
    write_each,
    write_json,
    write_lines,
    write_png,
)

GENERATOR_VERSION = "2"
CSV_NAME = "cases.csv"
CSV_HEADER = "image,lesion,label,patient,ga_days,pixel_size_mm"
FRAME_SHARES = (0.45, 0.35, 0.2)  # patients with 1, 2, 3 images
SOURCE_COUNTS = {  # images of each class in the public collection
    "normal": 282, "mild_ventriculomegaly": 246, "moderate_ventriculomegaly": 314,
    "severe_ventriculomegaly": 126, "arachnoid_cyst": 139, "cerebellar_hypoplasia": 129,
    "encephalocele": 145, "porencephaly": 98, "colpocephaly": 89, "intracranial_hemorrhage": 58,
    "arnold_chiari_malformation": 49, "mega_cisterna_magna": 38, "hydranencephaly": 20,
    "intracranial_tumor": 14, "holoprosencephaly": 12, "vein_of_galen": 5,
}  # fmt: skip
SHARES = ("equal", "source")


def label_of_patient(seed: int, number: int, shares: str = "equal") -> str:
    """Return the class of patient `number` (from 0): it depends on seed and number alone.

    ``"equal"``: any 16 patients from a multiple of 16 on hold each class once, in an order of
    their own. ``"source"``: drawn with the frequencies of the public collection.

    Examples
    --------
    >>> sorted(label_of_patient(5, k) for k in range(16, 32)) == sorted(LABELS)
    True
    """
    if shares == "equal":
        block, place = divmod(number, len(LABELS))
        return LABELS[np.random.default_rng([seed, 11, block]).permutation(len(LABELS))[place]]
    weights = np.array([SOURCE_COUNTS[label] for label in LABELS], float)
    rng = np.random.default_rng([seed, 12, number])
    return LABELS[int(rng.choice(len(LABELS), p=weights / weights.sum()))]


def write_anomaly_set(
    folder: str | Path,
    n_patients: int,
    seed: int,
    marks: bool = True,
    image_size: tuple[int, int] = IMAGE_SIZE,
    shares: str = "equal",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a set of brain anomaly phantoms, 1-3 images a patient.

    The folder appears complete or not at all: files are written beside it and renamed.

    Parameters
    ----------
    folder : created; it must not exist yet, or be empty.
    n_patients : at least 1.
    seed : non-negative; patient k is the same whatever n_patients is.
    marks, image_size : see `make_anomaly`.
    shares : "equal" classes, or "source": as frequent as in the public collection.
    progress : called with (patients done, n_patients) after each.

    Returns
    -------
    The folder: images/PatientNNNNN_PlaneK.png, lesions/ with the same names (0 or 255),
    cases.csv (image,lesion,label,patient,ga_days,pixel_size_mm), phantom.json with all measures.

    Raises
    ------
    ValueError
        If n_patients is below 1 or another argument out of range.
    FileExistsError
        If the folder holds files already.
    """
    folder = Path(folder)
    check_request(seed, LABELS[0], None, None, 0, image_size)
    if n_patients < 1 or shares not in SHARES:
        raise ValueError(
            f"n_patients is {n_patients} and shares {shares!r}; at least 1 patient, and "
            f"{' or '.join(SHARES)}, are needed"
        )
    request = {"seed": seed, "marks": marks, "image_size": list(image_size), "shares": shares}
    with new_folder(folder) as part:
        (part / "images").mkdir()
        (part / "lesions").mkdir()
        patients = write_each(lambda k: _write_patient(part, k, request), n_patients, progress)
        _write_tables(part, [row for rows in patients for row in rows], n_patients, request)
    return folder


def _write_patient(part: Path, number: int, request: dict) -> list[dict]:
    """Write the images of one patient; return a row for each."""
    own_seed = subject_seed(request["seed"], number)
    label = label_of_patient(request["seed"], number, request["shares"])
    n_frames = 1 + int(np.random.default_rng([own_seed, 4]).choice(3, p=FRAME_SHARES))
    patient, rows = f"Patient{number + 1:05d}", []
    for frame in range(n_frames):
        phantom = make_anomaly(
            own_seed, label, marks=request["marks"], frame=frame, image_size=request["image_size"]
        )
        name = f"{patient}_Plane{frame + 1}.png"
        write_png(part / "images" / name, phantom.image)
        write_png(part / "lesions" / name, phantom.lesion.astype(np.uint8) * 255)
        rows.append(
            {
                "image": name,
                "label": label,
                "patient": patient,
                "ga_days": f"{phantom.ga_days:g}",
                "pixel_size_mm": f"{phantom.pixel_size_mm:.12g}",
                "plane": phantom.plane,
                "measures": {key: round(mm, 2) for key, mm in phantom.measures.items()},
            }
        )
    return rows


def _write_tables(part: Path, rows: list[dict], n: int, request: dict) -> None:
    lines = [CSV_HEADER]
    for row in rows:
        files = f"images/{row['image']},lesions/{row['image']}"
        lines.append(
            f"{files},{row['label']},{row['patient']},{row['ga_days']},{row['pixel_size_mm']}"
        )
    write_lines(part / CSV_NAME, lines)
    record = {
        "generator": "fetal_phantoms.anomalies",
        "version": GENERATOR_VERSION,
        "n_patients": n,
        "n_images": len(rows),
        **request,
        "planes": {row["image"]: row["plane"] for row in rows},
        "measures_mm": {row["image"]: row["measures"] for row in rows},
    }
    write_json(part / "phantom.json", record)
