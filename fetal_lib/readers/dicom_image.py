"""Read one ultrasound image from DICOM: gray values, and the size of a pixel where it is stated.

Single frames and loops, gray (MONOCHROME1 and 2), colour (RGB, YBR, palette), 8 to 16 bits,
uncompressed, run-length, baseline JPEG, JPEG-LS and JPEG 2000. The pixel size stands in the
Sequence of Ultrasound Regions (centimetres a pixel), else in Pixel Spacing; where the regions
contradict each other or the pixels are not square it is unknown, not averaged.

References
----------
DICOM PS3.3, C.8.5.5 US Region Calibration Module and C.7.6.3 Image Pixel Module.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.readers.checks import (
    MAX_PIXELS,
    ImageReadError,
    check_frame,
    damage_as,
    too_many_pixels,
)
from fetal_lib.readers.dicom_header import GRAY, read_header
from fetal_lib.readers.gray_levels import eight_bits, luma

if TYPE_CHECKING:
    from pydicom import Dataset

COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
PALETTE = "PALETTE COLOR"
VOLUMES = {"CT": "computed tomography", "MR": "MRI", "PT": "PET", "NM": "nuclear medicine"}
UNIT_CM, FORMAT_2D = 3, 1
SQUARE_WITHIN = 0.01


def read_dicom_image(path: str | Path, frame: int | None = None) -> np.ndarray:
    """Read a DICOM ultrasound image as gray values.

    Values are divided down from the stored bits, or from fewer (8, 10, 12, 14) when these hold
    the brightest pixel; MONOCHROME1 is inverted; colour becomes luma. A display window is not
    applied. Of a loop only the frame that is asked for is decoded.

    Parameters
    ----------
    path : str or Path
    frame : int or None
        Which frame of a loop, from 0; None refuses a file with more than one.

    Returns
    -------
    uint8 array (H, W)

    Raises
    ------
    ImageReadError
        When the file is no DICOM image, damaged, a slice of a volume, of a pixel type without a
        known range, compressed in a way that is not read here, or has several frames.

    Examples
    --------
    >>> read_dicom_image("nowhere.dcm")
    Traceback (most recent call last):
    fetal_lib.readers.checks.ImageReadError: nowhere.dcm: no such file; an image file is needed.
    Check the path.
    """
    from pydicom.pixels import pixel_array

    path = Path(path)
    header = read_header(path)
    with damage_as(ImageReadError, path):
        n_frames = int(header.get("NumberOfFrames") or 1)
        _check_header(path, header)
        check_frame(path, n_frames, frame)
        values = pixel_array(path, index=frame or 0)  # (H, W) or (H, W, 3), YBR turned to RGB
        return _gray(values, header)


def read_pixel_size_mm(path: str | Path) -> float | None:
    """Return the side of a pixel in millimetres that a file's header states.

    Regions that show tissue in two dimensions with centimetres on both axes (units code 3) come
    first, then Pixel Spacing. Pixels are not read.

    Returns
    -------
    float or None
        None when nothing is stated, the axes or the regions differ by more than 1 %, or a
        length is not positive.

    Raises
    ------
    ImageReadError
        When the file is missing, no DICOM file, or damaged.
    """
    lengths = read_pixel_lengths_mm(path)
    if not lengths or not all(math.isfinite(mm) and mm > 0 for mm in lengths):
        return None
    if max(lengths) > min(lengths) * (1 + SQUARE_WITHIN):
        return None
    return sum(lengths) / len(lengths)


def read_pixel_lengths_mm(path: str | Path) -> list[float]:
    """Return all sides of pixels in millimetres that a header states, of every region both axes."""
    path = Path(path)
    header = read_header(path)
    with damage_as(ImageReadError, path):
        lengths = [mm for region in _regions(header) for mm in _region_mm(region)]
        return lengths or [float(mm) for mm in header.get("PixelSpacing") or ()]


def _regions(header: Dataset) -> list[Dataset]:
    return [
        region
        for region in header.get("SequenceOfUltrasoundRegions") or ()
        if region.get("RegionSpatialFormat", FORMAT_2D) == FORMAT_2D
        and region.get("PhysicalUnitsXDirection") == UNIT_CM
        and region.get("PhysicalUnitsYDirection") == UNIT_CM
    ]


def _region_mm(region: Dataset) -> tuple[float, float]:
    cm = region.get("PhysicalDeltaX"), region.get("PhysicalDeltaY")
    return tuple(abs(float(x)) * 10 if x is not None else math.nan for x in cm)


def _check_header(path: Path, header: Dataset) -> None:
    modality = str(header.get("Modality", ""))
    if modality in VOLUMES:
        raise ImageReadError(
            path,
            f"a slice of {VOLUMES[modality]} (modality {modality})",
            "an ultrasound image is needed",
            "Read a series of slices as a volume.",
        )
    rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
    if rows * columns < 1:
        raise ImageReadError(
            path,
            "a DICOM file without a picture",
            "rows, columns and pixels are needed",
            "Choose the file that holds the image, not a report.",
        )
    if rows * columns > MAX_PIXELS:
        raise too_many_pixels(path, f"{columns} x {rows} pixels")
    _check_pixels(path, header)
    _check_compression(path, header)


def _check_pixels(path: Path, header: Dataset) -> None:
    kind = str(header.get("PhotometricInterpretation", "none stated"))
    if kind not in (*GRAY, *COLOUR, PALETTE):
        rule = f"colours must be one of {', '.join((*GRAY, *COLOUR, PALETTE))}"
        raise ImageReadError(path, f"colours {kind!r}", rule, "Export the scan as PNG.")
    bits = int(header.get("BitsAllocated") or 0)
    if not 1 <= int(header.get("BitsStored") or bits) <= bits:
        raise ImageReadError.damaged(path, ValueError(f"{header.BitsStored} bits stored in {bits}"))
    if bits not in (1, 8, 16) or header.get("PixelRepresentation", 0) != 0:
        raise ImageReadError(
            path,
            f"{'signed ' if header.get('PixelRepresentation') else ''}{bits}-bit pixels",
            "pixels must be unsigned and of 8 or 16 bits, whose range is known",
            "Export the scan as PNG.",
        )


def _check_compression(path: Path, header: Dataset) -> None:
    from pydicom.pixels import get_decoder

    syntax = header.file_meta.TransferSyntaxUID
    try:
        is_readable = get_decoder(syntax).is_available
    except NotImplementedError:
        is_readable = False
    if not is_readable:
        raise ImageReadError(
            path,
            f"pixels compressed as {syntax.name}, for which no decoder is installed",
            "uncompressed, RLE, baseline JPEG, JPEG-LS and JPEG 2000 are read",
            "Export the scan again, uncompressed or as PNG.",
        )


def _gray(values: np.ndarray, header: Dataset) -> np.ndarray:
    kind = str(header.PhotometricInterpretation)
    stored = int(header.get("BitsStored") or header.BitsAllocated)
    if kind == PALETTE:
        from pydicom.pixels import apply_color_lut

        values, stored = apply_color_lut(values, header)[..., :3], 16
    if values.ndim == 3:
        return luma(np.ascontiguousarray(eight_bits(values, stored)))
    if stored == 1:
        values, stored = values * np.uint8(255), 8
    gray = eight_bits(values, stored)
    return 255 - gray if kind == "MONOCHROME1" else gray
