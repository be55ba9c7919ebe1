"""Read what stands before the pixels of a DICOM file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.readers.checks import ImageReadError, ReadError, damage_as, first_bytes, is_dicom

if TYPE_CHECKING:
    from pydicom import Dataset

GRAY = ("MONOCHROME1", "MONOCHROME2")
DEFLATED = "1.2.840.10008.1.2.1.99"


def read_header(path: str | Path, error: type[ReadError] = ImageReadError) -> Dataset:
    """Read the header of a DICOM file.

    Raises
    ------
    ReadError
        Of the class given, when the file is missing, no DICOM file, damaged, or packed as a
        whole.
    """
    import pydicom

    path = Path(path)
    if not is_dicom(first_bytes(path, error)):
        found, rule = "no DICOM mark at byte 128", "a DICOM file with its preamble is needed"
        raise error(path, found, rule, f"Export the scan again, as DICOM or as {error.kind}.")
    with damage_as(error, path):
        meta = pydicom.filereader.read_file_meta_info(path)
        if str(meta.get("TransferSyntaxUID")) == DEFLATED:
            found, rule = "a deflated DICOM file", "only its pixels may be compressed"
            raise error(path, found, rule, "Export the scan again, without compression.")
        return pydicom.dcmread(path, stop_before_pixels=True)
