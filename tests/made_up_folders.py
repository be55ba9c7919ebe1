"""Small sound folders of every layout that the library knows, for tests that plant faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from made_up_scans import write_heads
from PIL import Image


def noise(seed: int, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def disc(size: tuple[int, int] = (24, 32)) -> np.ndarray:
    y, x = np.ogrid[: size[0], : size[1]]
    inside = (y - size[0] / 2) ** 2 + (x - size[1] / 2) ** 2 < (min(size) / 3) ** 2
    return inside.astype(np.uint8) * 255


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def save_text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def save_volume(
    path: Path,
    data: np.ndarray | None = None,
    spacing_mm: float = 1.0,
    seed: int = 0,
) -> Path:
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    if data is None:
        data = np.random.default_rng(seed).normal(100, 20, (8, 9, 10)).astype(np.float32)
    image = nibabel.Nifti1Image(data, np.diag([spacing_mm] * 3 + [1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


def labels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 4, (8, 9, 10), np.uint8)


def planes(folder: Path) -> None:
    rows = ["Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train"]
    for n in range(4):
        name = f"Patient0000{n // 2}_Plane3_{n % 2 + 1}_of_2"
        save(folder / "Images" / f"{name}.png", noise(n))
        rows.append(f"{name};{n // 2};Fetal brain;Trans-thalamic;Op. 1;Voluson E6;{n // 2}")
    save_text(folder / "FETAL_PLANES_DB_data.csv", *rows)


def one_hot(folder: Path) -> None:
    for part in ("train", "valid", "test"):
        rows = ["filename, normal, polencephaly"]
        for n in range(3):
            name = f"{part}-{n}_png.rf.0123456789abcdef{n}.jpg"
            save(folder / part / name, noise(n))
            rows.append(f"{name}, {n % 2}, {1 - n % 2}")
        save_text(folder / part / "_classes.csv", *rows)


def class_folders(folder: Path) -> None:
    for part in ("train", "valid"):
        for label in ("normal", "polencephaly"):
            save(folder / part / label / f"{label}-1a.jpg", noise(1))


def boxes(folder: Path) -> None:
    save_text(folder / "data.yaml", "nc: 2", "names: ['abnormal', 'normal']")
    for part in ("train", "valid", "test"):
        for n in range(2):
            save(folder / part / "images" / f"{part}_{n}.jpg", noise(n))
            save_text(folder / part / "labels" / f"{part}_{n}.txt", f"{n} 0.5 0.5 0.25 0.5")


def anomaly_cases(folder: Path) -> None:
    rows = ["image,lesion,label,patient,ga_days,pixel_size_mm"]
    for n in range(3):
        name = f"Patient0000{n}_Plane1.png"
        save(folder / "images" / name, noise(n))
        save(folder / "lesions" / name, disc())
        rows.append(f"images/{name},lesions/{name},porencephaly,Patient0000{n},{150 + n},0.2")
    save_text(folder / "cases.csv", *rows)


def clinical(folder: Path) -> None:
    rows = [
        "image,mask,subject,structure,pixel_size_mm,ga_days,hc_mm,ac_mm,bpd_mm,ofd_mm,fl_mm",
    ]
    for n in range(3):
        save(folder / "images" / f"{n}.png", noise(n))
        save(folder / "masks" / f"{n}.png", disc())
        rows.append(f"images/{n}.png,masks/{n}.png,s{n},head,0.2,150,180.5,,50,,")
    save_text(folder / "table.csv", *rows)


BIOMETRY = {  # lines, plane in the names, column of the subject, ends of the lines
    "Head": (("ofd", "bpd"), 3, "SubjectID", (4, 12, 28, 12, 16, 21, 16, 3)),
    "Abdomen": (("tad", "apad"), 2, "SubjectID", (6, 12, 26, 12, 16, 22, 16, 2)),
    "Femur": (("fl",), 5, "Patient", (9, 8, 21, 13)),
}


def biometry(
    folder: Path, images: str = "images", tables: str = ".", ending: str = "jpg", scale: int = 1
) -> Path:
    size = (24 * scale, 32 * scale)
    for name, (lines, plane, subject, points) in BIOMETRY.items():
        values = ",".join(str(scale * point) for point in points)
        ends = [f"{line}_{end}_{axis}" for line in lines for end in "12" for axis in "xy"]
        columns = ["image_name", "scale", "center_w", "center_h", *ends, subject]
        rows = [",".join([*columns, "px_to_mm_rate", "Algo"])]
        for n, algo in ((1, "AlokaFit"), (2, "")):
            image = f"Patient0000{n}_Plane{plane}_1_of_1"
            save(folder / images / f"{image}.{ending}", noise(10 * plane + n, size))
            row = f"{image}.png,0.141,{16 * scale},{12 * scale},{values},{n},{3.5 / scale},{algo}"
            rows.append(row)
        save_text(folder / tables / f"{name}.csv", *rows)
    return folder


def measurements(folder: Path) -> None:
    save_text(folder / "table.csv", "subject,ga_days,fl_mm", "s1,150,31.5", "s1,171,38", "s2,200,")


def two_folders(folder: Path) -> None:
    rows = ["filename,pixel_size_mm"]
    for n in range(3):
        save(folder / "images" / f"{n}.png", noise(n))
        save(folder / "masks" / f"{n}_mask.png", disc())
        rows.append(f"{n}.png,0.2")
    save_text(folder / "pixel_sizes.csv", *rows)


def slices(folder: Path) -> None:
    for patient in ("p1", "p2"):
        for plane in ("axial", "coronal", "sagittal"):
            for n in range(2):
                save(folder / patient / plane / f"{n}.jpg", noise(n))
    save_text(folder / "table.csv", "patient_id,ga_days", "p1,150", "p2,201.5")


def fetal_bids(folder: Path) -> None:
    for n in (1, 2):
        name = f"sub-0{n}"
        save_volume(folder / name / "anat" / f"{name}_T2w.nii.gz", seed=n)
        place = folder / "derivatives" / "labels" / name / "anat"
        save_volume(place / f"{name}_dseg.nii.gz", labels())
    save_text(folder / "participants.tsv", "participant_id\tga_days", "sub-01\t150", "sub-02\t230")


def adult_bids(folder: Path) -> None:
    for n in (1, 2):
        save_volume(folder / f"sub-0{n}" / "anat" / f"sub-0{n}_T1w.nii.gz", seed=n)
    rows = ["participant_id\tage\tsex", "sub-01\t44.5\tF", "sub-02\t71\tM"]
    save_text(folder / "participants.tsv", *rows)


def ixi(folder: Path) -> None:
    save_volume(folder / "IXI-T1" / "IXI002-Guys-0828-T1.nii.gz", seed=1)
    save_volume(folder / "IXI-T1" / "IXI012-HH-1211-T1.nii.gz", seed=2)
    rows = ['IXI_ID,"SEX_ID (1=m, 2=f)",HEIGHT,AGE', "2,2,164,35.8", "12,1,175,38.78"]
    save_text(folder / "IXI.csv", *rows)


def oasis(folder: Path) -> None:
    rows = ["ID,M/F,Hand,Age,Educ,SES,MMSE,CDR,eTIV,nWBV,ASF,Delay"]
    for n, session in enumerate(("OAS1_0001_MR1", "OAS1_0061_MR1", "OAS1_0061_MR2")):
        place = folder / session / "PROCESSED" / "MPRAGE" / "T88_111"
        save_volume(place / f"{session}_mpr_n4_anon_111_t88_masked_gfc.nii.gz", seed=n)
        rows.append(f"{session},F,R,{40 + n},2,3,29,,1344,0.743,1.306,N/A")
    save_text(folder / "oasis_cross-sectional.csv", *rows)


def atlas(folder: Path) -> None:
    for week in (21, 22):
        save_volume(folder / f"STA{week}.nii.gz", seed=week)
        save_volume(folder / f"STA{week}_tissue.nii.gz", labels())
        place = folder / f"fetal_SB_atlas_GA{week}_notoperated"
        save_volume(place / "srr.nii.gz", seed=week)
        save_volume(place / "mask.nii.gz", (labels() > 1).astype(np.uint8))


def coco(folder: Path) -> None:
    for part in ("train", "valid"):
        save(folder / part / "polencephaly-1a.jpg", noise(1))
        content = {
            "images": [{"id": 0, "file_name": "polencephaly-1a.jpg"}],
            "categories": [{"id": 0, "name": "polencephaly"}],
            "annotations": [{"id": 0, "image_id": 0, "category_id": 0}],
        }
        save_text(folder / part / "_annotations.coco.json", json.dumps(content))


# Layout's name, and who writes a sound folder of it.
FOLDERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "hc18": ("hc18", write_heads),
    "planes": ("fetal_planes", planes),
    "one_hot": ("labelled_images", one_hot),
    "coco": ("labelled_images", coco),
    "class_folders": ("labelled_images", class_folders),
    "boxes": ("yolo_boxes", boxes),
    "cases": ("anomaly_cases", anomaly_cases),
    "clinical": ("clinical_ultrasound", clinical),
    "biometry": ("fetal_biometry", biometry),
    "measurements": ("measurements", measurements),
    "two_folders": ("mask_folders", two_folders),
    "slices": ("slices", slices),
    "fetal_bids": ("bids_fetal", fetal_bids),
    "adult_bids": ("bids_adult", adult_bids),
    "ixi": ("ixi", ixi),
    "oasis": ("oasis1", oasis),
    "atlas": ("fetal_atlas", atlas),
}
WITH_SCANS = [name for name in FOLDERS if name != "measurements"]  # a table alone
