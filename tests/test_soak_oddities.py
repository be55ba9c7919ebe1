"""Oddities of files as hospitals, cameras and office programs write them: read right, or refused.

A row of the page *Reliability* each: what the file is, and what became of it, in the words of the
program. A value is compared with the one that was written.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_up_scans import scan, us_region, write_clinical, write_dicom
from made_up_volumes import AFFINE, DATA, save_nifti, save_series
from PIL import Image
from soak import tell

from fetal_lib.data.layouts import clinical_ultrasound
from fetal_lib.errors import UserError
from fetal_lib.predict.brain_age import read_known_ages
from fetal_lib.predict.pixel_sizes import PixelSizes, read_pixel_sizes
from fetal_lib.predict.visits import read_visits, visits
from fetal_lib.readers.image import read_gray
from fetal_lib.readers.volume import read_volume

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")
SCAN = scan(size=(40, 48))
UMLAUT = "Bäuche von Fötus 3 (früh).png"
OTHER_SPELLING = unicodedata.normalize("NFD", UMLAUT)


def encapsulated(folder: Path, syntax: str, stream: bytes) -> Path:
    """Write a DICOM file whose pixels are a stream in a compression of that name."""
    path = write_dicom(folder / "scan.dcm", SCAN)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = pydicom.encaps.encapsulate([stream])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
    dataset.save_as(path)
    return path


def jpeg_2000(folder: Path) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(SCAN).save(stream, "JPEG2000", no_jp2=True)
    return read_gray(encapsulated(folder, "JPEG2000Lossless", stream.getvalue()))


def jpeg_ls(folder: Path) -> np.ndarray:
    jpeg_ls = pytest.importorskip("jpeg_ls")
    return read_gray(encapsulated(folder, "JPEGLSLossless", bytes(jpeg_ls.encode(SCAN))))


def inverted(folder: Path) -> np.ndarray:
    tags = {"PhotometricInterpretation": "MONOCHROME1"}
    return read_gray(write_dicom(folder / "a.dcm", 255 - SCAN, **tags))


def burnt_in(folder: Path) -> np.ndarray:
    """Draw callipers in yellow and a patch of Doppler over a gray scan; return what is beside."""
    colour = np.dstack([SCAN] * 3)
    colour[5, 5:20], colour[20:30, 20:30] = (255, 255, 0), (200, 0, 40)
    found = read_gray(write_dicom(folder / "a.dcm", colour)).astype(int)
    found[5, 5:20] += SCAN[5, 5:20].astype(int) - 226
    found[20:30, 20:30] += SCAN[20:30, 20:30].astype(int) - 64
    return found


def placed(folder: Path, sform: np.ndarray, qform: np.ndarray, **header) -> Path:
    image = nibabel.Nifti1Image(DATA, None)
    for name, value in header.items():
        image.header[name] = value
    image.set_sform(sform, 4 if sform is not None else 0)
    image.set_qform(qform, 1)
    nibabel.save(image, folder / "a.nii")
    return folder / "a.nii"


def moved(folder: Path) -> np.ndarray:
    elsewhere = AFFINE.copy()
    elsewhere[:3, 3] += 20
    return read_volume(placed(folder, AFFINE, elsewhere)).affine


def with_length(folder: Path, mm: float) -> Path:
    """Write a volume placed by its qform alone, with this first length in its header."""
    path = placed(folder, None, AFFINE)
    content = bytearray(path.read_bytes())
    content[80:84] = np.float32(mm).tobytes()
    path.write_bytes(content)
    return path


def with_nan(folder: Path) -> Path:
    values = DATA.astype(np.float32)
    values[2, 3, 4] = np.nan
    return save_nifti(folder / "a.nii.gz", values)


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "sizes.csv"
    path.write_bytes(text.encode(encoding))
    return path


def size_of(folder: Path, text: str, name: str = "a.png", encoding: str = "utf-8") -> float:
    """Return the pixel size that a table gives to a scan of this name."""
    Image.fromarray(SCAN).save(folder / name, "PNG")
    return read_pixel_sizes(table(folder, text, encoding)).find(folder / name).mm


def examination_of(folder: Path, name: str) -> str:
    Image.fromarray(SCAN).save(folder / "a b.png")
    listed = read_visits(table(folder, f"image,exam\n{name},E1\n"))
    return visits([folder / "a b.png"], listed)[0].name


def layout_of(folder: Path, name: str) -> str:
    """Name the image of a data set in its table by a path in another way of writing."""
    write_clinical(folder, 2)
    text = (folder / "table.csv").read_text().replace("images/0.png", name)
    (folder / "table.csv").write_text(text)
    return clinical_ultrasound.read_cases(folder)["image_path"][0].name


def headless(folder: Path) -> float:
    """Ask for the pixel size of a scan whose header has a length below zero, and one region."""
    tags = {"PixelSpacing": [-0.2, -0.2]}
    return PixelSizes().find(write_dicom(folder / "a.dcm", SCAN, **tags)).mm


def upwards(folder: Path) -> float:
    tags = {"SequenceOfUltrasoundRegions": [us_region(0.012, -0.012)]}
    return PixelSizes().find(write_dicom(folder / "a.dcm", SCAN, **tags)).mm


MIRROR = np.diag([-1.0, 1, 1, 1])
DOUBLE = np.diag([2.0, 2, 2, 1])
MM = "filename;pixel_size_mm\n"
READ: dict[str, tuple[Callable[[Path], object], object]] = {
    "DICOM, MONOCHROME1": (inverted, SCAN),
    "DICOM, RGB with callipers and Doppler burnt in": (burnt_in, SCAN),
    "DICOM, JPEG 2000": (jpeg_2000, SCAN),
    "DICOM, JPEG-LS": (jpeg_ls, SCAN),
    "DICOM, a region that is counted upwards": (upwards, 0.12),
    "DICOM, Pixel Spacing below zero: the size is not known": (headless, np.nan),
    "NIfTI, sform and qform at two places: the sform counts": (moved, AFFINE),
    "NIfTI, a fourth axis of one volume": (
        lambda folder: read_volume(save_nifti(folder / "a.nii", DATA[..., None])).data,
        DATA,
    ),
    "table with decimal commas": (
        lambda folder: size_of(folder, MM + "a.png;0,125\nb.png;0,2"),
        0.125,
    ),
    "table as Excel saves it in UTF-16": (
        lambda folder: size_of(
            folder, "filename\tpixel_size_mm\r\na.png\t0,12\r\n", "a.png", "utf-16"
        ),
        0.12,
    ),
    "table with paths of Windows": (
        lambda folder: size_of(folder, MM + "C:\\Scans von heute\\a.png;0.2"),
        0.2,
    ),
    "examinations with paths of Windows": (
        lambda folder: examination_of(folder, "scans\\a b.png"),
        "E1",
    ),
    "data set whose table has paths of Windows": (
        lambda folder: layout_of(folder, "images\\0.png"),
        "0.png",
    ),
    "names with spaces and umlauts": (
        lambda folder: size_of(folder, f"{MM}{UMLAUT};0.2", UMLAUT),
        0.2,
    ),
    "umlauts of macOS in the file's name": (
        lambda folder: size_of(folder, f"{MM}{UMLAUT};0.2", OTHER_SPELLING),
        0.2,
    ),
    "umlauts of macOS in the table": (
        lambda folder: size_of(folder, f"{MM}{OTHER_SPELLING};0.2", UMLAUT),
        0.2,
    ),
    "ages with decimal commas and a gap": (
        lambda folder: read_known_ages(table(folder, "scan;age\nx/a.nii;71,5\nb.nii;\n")),
        {"a.nii": 71.5},
    ),
}
REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "DICOM, lossless JPEG": (
        lambda folder: read_gray(encapsulated(folder, "JPEGLosslessSV1", b"\xff\xd8" + bytes(60))),
        "compressed as JPEG Lossless.*no decoder is installed",
    ),
    "DICOM, video": (
        lambda folder: read_gray(encapsulated(folder, "MPEG4HP41", bytes(64))),
        "compressed as MPEG-4",
    ),
    "DICOM series, Pixel Spacing below zero": (
        lambda folder: read_volume(save_series(folder / "series", PixelSpacing=[-1.2, -1.1])),
        "its pixels are -1.2 x -1.1 mm",
    ),
    "NIfTI, four dimensions": (
        lambda folder: read_volume(save_nifti(folder / "a.nii", np.stack([DATA] * 3, -1))),
        "3 volumes, the shape is",
    ),
    "NIfTI, sform and qform of two sizes": (
        lambda folder: read_volume(placed(folder, AFFINE @ DOUBLE, AFFINE)),
        "2.2 x 2.4 x 6.6 mm by its sform and 1.1 x 1.2 x 3.3 mm by its qform",
    ),
    "NIfTI, sform and qform that swap left and right": (
        lambda folder: read_volume(placed(folder, AFFINE, AFFINE @ MIRROR)),
        "sform mirrors what its qform does not",
    ),
    "NIfTI, a length below zero": (
        lambda folder: read_volume(with_length(folder, -1.1)),
        "voxels of -1.1 x 1.2 x 3.3 mm",
    ),
    "NIfTI, a length of zero": (
        lambda folder: read_volume(with_length(folder, 0)),
        "voxels of 0 x 1.2 x 3.3 mm",
    ),
    "NIfTI, NaN in a voxel": (
        lambda folder: read_volume(with_nan(folder)),
        "1 of 504 voxels are NaN",
    ),
    "table in Latin-1": (
        lambda folder: size_of(folder, f"{MM}{UMLAUT};0.2", UMLAUT, "latin-1"),
        "no UTF-8 text; save the sheet as 'CSV UTF-8'",
    ),
    "table with 1,234 alone": (
        lambda folder: size_of(folder, MM + "a.png;1,234"),
        "a thousand or a decimal comma",
    ),
    "data set whose table leads out of its folder": (
        lambda folder: layout_of(folder, "..\\0.png"),
        "leads out of the folder",
    ),
}


@pytest.mark.parametrize("words", READ)
def test_an_odd_file_is_read_right(tmp_path, words):
    do, wanted = READ[words]
    found = do(tmp_path)
    if isinstance(wanted, dict | str):
        assert found == wanted
    else:
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    tell("oddities", words, 1, 0, "read right")


@pytest.mark.parametrize("words", REFUSED)
def test_an_odd_file_is_refused_in_a_sentence(tmp_path, words):
    do, pattern = REFUSED[words]
    with pytest.raises(UserError, match=pattern) as raised:
        do(tmp_path)
    said = " ".join(str(raised.value).split())
    said = said.replace(f"{tmp_path}/", "").replace(str(tmp_path), "FOLDER")
    assert said.endswith(".")
    tell("oddities", words, 1, 0, f"refused: {said}")
