"""Write sets of brain anomaly phantoms: images, lesion masks, one table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fetal_phantoms.anomalies.labels import LABELS
from fetal_phantoms.anomalies.phantom import IMAGE_SIZE, check_request, make_anomaly
from fetal_phantoms.set_folder import Progress, write_json, write_png, write_set, write_table

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
    progress: Progress | None = None,
) -> Path:
    """Write a set of brain anomaly phantoms, 1-3 images a patient.

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
    check_request(seed, LABELS[0], None, None, 0, image_size)
    if shares not in SHARES:
        raise ValueError(f"shares is {shares!r}; it must be {' or '.join(SHARES)}")
    request = {"seed": seed, "marks": marks, "image_size": list(image_size), "shares": shares}

    def write(part: Path, number: int, own_seed: int) -> list[dict]:
        return _write_patient(part, number, own_seed, request)

    def finish(part: Path, patients: list[list[dict]]) -> None:
        rows = [row for images in patients for row in images]
        write_table(part / CSV_NAME, CSV_HEADER.split(","), rows)
        record = {
            "generator": "fetal_phantoms.anomalies",
            "version": GENERATOR_VERSION,
            "n_patients": n_patients,
            "n_images": len(rows),
            **request,
            "planes": {row["name"]: row["plane"] for row in rows},
            "measures_mm": {row["name"]: row["measures"] for row in rows},
        }
        write_json(part / "phantom.json", record)

    return write_set(folder, write, finish, ("n_patients", n_patients), seed, progress)


def _write_patient(part: Path, number: int, own_seed: int, request: dict) -> list[dict]:
    """Write the images of one patient; return a row for each."""
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
                "name": name,
                "image": f"images/{name}",
                "lesion": f"lesions/{name}",
                "label": label,
                "patient": patient,
                "ga_days": f"{phantom.ga_days:g}",
                "pixel_size_mm": f"{phantom.pixel_size_mm:.12g}",
                "plane": phantom.plane,
                "measures": {key: round(mm, 2) for key, mm in phantom.measures.items()},
            }
        )
    return rows
