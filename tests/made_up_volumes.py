"""Small volumes in every way of saving that the reader knows, and folders of fetal MRI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED = "1.2.840.10008.5.1.4.1.1.4.1"
EXPLICIT = "1.2.840.10008.1.2.1"
DATA = np.random.default_rng(0).integers(10, 900, (7, 8, 9)).astype(np.int16)
AFFINE = np.array([[1.1, 0, 0, -4.0], [0, 1.2, 0, 5.0], [0, 0, 3.3, -9.0], [0, 0, 0, 1.0]])


def save_nifti(path: Path, data=DATA, affine=AFFINE, kind: str = "Nifti1Image", **header) -> Path:
    """Write a volume with nibabel; ``header`` sets fields of the header."""
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    image = getattr(nibabel, kind)(data, affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def save_series(folder: Path, data=DATA, affine=AFFINE, **tags) -> Path:
    """Write a volume, (columns, rows, slices), as one DICOM file a slice; names tell no order."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(data.shape[2]):
        name = f"{(k * 5) % 97:02d}.dcm"
        save_slice(folder / name, data[:, :, k], affine, k, **tags)
    return folder


def save_slice(path: Path, values: np.ndarray, affine: np.ndarray, k: int, **tags) -> Path:
    """Write one slice; ``values`` is (columns, rows)."""
    header = _header(MR_IMAGE, values.shape, values.dtype)
    lps = np.diag([-1.0, -1.0, 1.0]) @ affine[:3]
    edges = np.linalg.norm(lps[:, :3], axis=0)
    header.ImagePositionPatient = [float(v) for v in lps[:, 3] + k * lps[:, 2]]
    header.ImageOrientationPatient = [float(v) for v in (lps[:, :2] / edges[:2]).T.ravel()]
    header.PixelSpacing = [float(edges[1]), float(edges[0])]
    header.SeriesInstanceUID = "1.2.3.4"
    header.InstanceNumber = 99 - k
    for name, value in tags.items():
        setattr(header, name, value)
    header.PixelData = np.ascontiguousarray(values.T).tobytes()
    header.save_as(path, enforce_file_format=True)
    return path


def save_frames(path: Path, data=DATA, affine=AFFINE) -> Path:
    """Write a volume as one enhanced MR file, its frames in another order."""
    from pydicom.dataset import Dataset

    header = _header(ENHANCED, data.shape[:2], data.dtype)
    lps = np.diag([-1.0, -1.0, 1.0]) @ affine[:3]
    edges = np.linalg.norm(lps[:, :3], axis=0)
    measures, angles, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [float(edges[1]), float(edges[0])]
    angles.ImageOrientationPatient = [float(v) for v in (lps[:, :2] / edges[:2]).T.ravel()]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [angles]
    order = list(range(0, data.shape[2], 2)) + list(range(1, data.shape[2], 2))
    frames = []
    for k in order:
        frame, place = Dataset(), Dataset()
        place.ImagePositionPatient = [float(v) for v in lps[:, 3] + k * lps[:, 2]]
        frame.PlanePositionSequence = [place]
        frames.append(frame)
    header.NumberOfFrames = len(order)
    header.SharedFunctionalGroupsSequence = [shared]
    header.PerFrameFunctionalGroupsSequence = frames
    header.PixelData = np.ascontiguousarray(data.transpose(2, 1, 0)[order]).tobytes()
    header.save_as(path, enforce_file_format=True)
    return path


def _header(sop_class: str, shape: tuple[int, int], dtype: np.dtype):
    from pydicom.dataset import FileDataset, FileMetaDataset

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, "1.2.3"
    meta.TransferSyntaxUID = EXPLICIT
    header = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    header.SOPClassUID, header.SOPInstanceUID, header.Modality = sop_class, "1.2.3", "MR"
    header.Columns, header.Rows = shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 8 * np.dtype(dtype).itemsize
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(np.issubdtype(dtype, np.signedinteger))
    return header


def save_picture(path: Path, seed: int = 0, size: tuple[int, int] = (40, 50)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, size, np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_bids(folder: Path, n: int = 2) -> Path:
    """Write fetuses with one volume and labels each; ages 180, 187 ... days."""
    rows = ["participant_id\tga_days"]
    for k in range(1, n + 1):
        name = f"sub-{k:02d}"
        data = np.zeros((12, 12, 12), np.int16)
        data[3:9, 3:9, 3:9] = 100 * k + np.arange(6)
        rows.append(f"{name}\t{173 + 7 * k}")
        affine = np.diag([2.0, 2.0, 2.0, 1.0])
        save_nifti(folder / name / "anat" / f"{name}_T2w.nii.gz", data, affine)
        labels = folder / "derivatives" / "labels" / name / "anat" / f"{name}_dseg.nii.gz"
        save_nifti(labels, (data > 0).astype(np.uint8) * 2, affine)
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")
    return folder


def write_slices(folder: Path, n: int = 2) -> Path:
    """Write patients with 12 pictures a plane, in source 000's layout."""
    rows = ["patient_id,ga_days"]
    for k in range(n):
        rows.append(f"p{k},{150 + k}")
        for plane in ("axial", "Coronal", "sagittal"):
            for i in range(12):
                save_picture(folder / f"p{k}" / plane / f"slice_{i}.jpg", 100 * k + i)
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    return folder
