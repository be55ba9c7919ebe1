"""Small made-up data sets in the layouts that the loaders read, and DICOM files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetal_lib.geometry.ellipse import Ellipse

SIZE = (96, 128)
CLINICAL_HEADER = (
    "image,mask,subject,structure,pixel_size_mm,ga_days,hc_mm,ac_mm,bpd_mm,ofd_mm,fl_mm"
)
EXPLICIT = "1.2.840.10008.1.2.1"
US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"


def real_data(name: str, variable: str = "FETAL_TEST_DATA") -> Path:
    """Return a folder of real data; the test is skipped where it is not there."""
    root = os.environ.get(variable)
    folder = Path(root or "") / name
    if not root or not folder.is_dir():
        pytest.skip(f"set {variable} to the folder that holds {name}/")
    return folder


def scan(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Draw speckle, brighter to the right."""
    noise = np.random.default_rng(seed).rayleigh(30, size)
    return (noise + np.linspace(0, 90, size[1])).clip(0, 255).astype(np.uint8)


def head(seed: int = 0, size: tuple[int, int] = SIZE) -> Ellipse:
    """Place an ellipse well inside an image."""
    height, width = size
    turn = 0.3 * (seed % 5)
    return Ellipse(width / 2 + seed % 3, height / 2, 0.36 * width, 0.38 * height, turn)


def ring_of(ellipse: Ellipse, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Draw an outline one pixel wide, 0/255."""
    x, y = np.round(ellipse.boundary(4000)).astype(int).T
    ring = np.zeros(size, np.uint8)
    inside = (x >= 0) & (y >= 0) & (x < size[1]) & (y < size[0])
    ring[y[inside], x[inside]] = 255
    return ring


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_heads(folder: Path, n: int = 4) -> Path:
    """Write HC18's layout; images 0 and 1 are of one examination."""
    rows = ["filename,pixel size(mm),head circumference (mm)"]
    for i in range(n):
        stem = "000_2HC" if i == 1 else f"{i:03d}_HC"
        save(folder / "training_set" / f"{stem}.png", scan(i))
        save(folder / "training_set" / f"{stem}_Annotation.png", ring_of(head(i)))
        rows.append(f"{stem}.png,0.5,{head(i).perimeter * 0.5:.2f}")
    (folder / "training_set_pixel_size_and_HC.csv").write_text("\n".join(rows) + "\n")
    return folder


def write_clinical(folder: Path, n: int = 4) -> Path:
    """Write the clinical layout: heads and abdomens in turn, two images a subject."""
    rows = [CLINICAL_HEADER]
    for i in range(n):
        save(folder / "images" / f"{i}.png", scan(i))
        save(folder / "masks" / f"{i}.png", head(i).mask(SIZE).astype(np.uint8) * 255)
        structure = ("head", "abdomen")[i % 2]
        rows.append(f"images/{i}.png,masks/{i}.png,S{i // 2},{structure},0.31,147,181.5,,,,")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    return folder


def write_planes(folder: Path, n: int = 6) -> Path:
    """Write the layout of FETAL_PLANES_DB with the blanks of the real table."""
    planes = [("Fetal brain", "Trans-thalamic"), ("Fetal brain", "Other"), ("Other", "Not A Brain")]
    rows = ["Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train "]
    for i in range(n):
        plane, brain = planes[i % 3]
        name = f"Patient{i // 2 + 1:05d}_Plane{i % 3 + 1}_1_of_1"
        save(folder / "Images" / f"{name}.png", scan(i))
        train = int(i // 2 < (n + 2) // 4)
        rows.append(f"{name};{i // 2 + 1};{plane};{brain};Op. 1;Voluson E6;{train} ")
    (folder / "FETAL_PLANES_DB_data.csv").write_text("\n".join(rows) + "\n")
    return folder


def write_dicom(path: Path, pixels: np.ndarray, syntax: str = EXPLICIT, **tags) -> Path:
    """Write pixels, (H, W), (F, H, W) or (H, W, 3), as an ultrasound DICOM file."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import generate_uid

    is_colour = pixels.shape[-1] == 3 and pixels.ndim > 2
    height, width = pixels.shape[-3:-1] if is_colour else pixels.shape[-2:]
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = US_IMAGE
    uid = generate_uid(entropy_srcs=[path.name])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid
    dataset.Modality = "US"
    dataset.Rows, dataset.Columns = height, width
    dataset.SamplesPerPixel = 3 if is_colour else 1
    dataset.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    if is_colour:
        dataset.PlanarConfiguration = 0
    bits = pixels.dtype.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, 0
    if pixels.ndim - is_colour == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.add_new("PixelData", "OB" if bits == 8 else "OW", pixels.tobytes())
    for name, value in tags.items():
        setattr(dataset, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def us_region(delta_x_cm: float, delta_y_cm: float, units: int = 3, form: int = 1):
    """Return one item of the Sequence of Ultrasound Regions."""
    import pydicom

    region = pydicom.Dataset()
    region.RegionSpatialFormat, region.RegionDataType = form, 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = units
    region.PhysicalDeltaX, region.PhysicalDeltaY = delta_x_cm, delta_y_cm
    return region


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Return content and time of change of every file, to see that none was touched."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
