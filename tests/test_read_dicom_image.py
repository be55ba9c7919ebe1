"""Ultrasound DICOM: one picture, whatever its colours and bits; millimetres only when stated."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_scans import scan, us_region, write_dicom

from fetal_lib.readers.dicom_image import read_dicom_image, read_pixel_size_mm
from fetal_lib.readers.image import ImageReadError, read_gray

pytest.importorskip("pydicom")
SCAN = scan()
SCAN[0, 0] = 255


def test_gray_is_read_as_it_is_also_by_read_gray(tmp_path):
    path = write_dicom(tmp_path / "scan.dcm", SCAN)
    found = read_dicom_image(path)
    assert found.dtype == np.uint8 and np.array_equal(found, SCAN)
    assert read_pixel_size_mm(path) is None
    assert np.array_equal(read_gray(path), SCAN)


def test_the_content_counts_not_the_name(tmp_path):
    path = write_dicom(tmp_path / "IM00001", SCAN)
    assert np.array_equal(read_gray(path), SCAN)


def test_monochrome1_is_white_where_it_is_zero(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", SCAN, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read_gray(path), 255 - SCAN)


@pytest.mark.parametrize(("bits", "stated"), [(10, 10), (12, 12), (16, 16), (12, 16)])
@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_deep_pixels_keep_their_contrast(tmp_path, bits, stated, kind):
    deep = np.round(SCAN / 255 * (2**bits - 1)).astype(np.uint16)
    tags = {"BitsStored": stated, "HighBit": stated - 1, "PhotometricInterpretation": kind}
    found = read_gray(write_dicom(tmp_path / "a.dcm", deep, **tags))
    assert np.array_equal(found, SCAN if kind == "MONOCHROME2" else 255 - SCAN)


def test_colour_becomes_luma(tmp_path):
    colour = np.zeros((2, 4, 3), np.uint8)
    colour[:, 0, 0], colour[:, 1, 1], colour[:, 2, 2] = 255, 255, 255
    assert read_gray(write_dicom(tmp_path / "a.dcm", colour))[0].tolist() == [76, 150, 29, 0]


def test_gray_saved_as_ybr_is_read_as_gray(tmp_path):
    ybr = np.stack([SCAN, np.full_like(SCAN, 128), np.full_like(SCAN, 128)], -1)
    path = write_dicom(tmp_path / "a.dcm", ybr, PhotometricInterpretation="YBR_FULL")
    assert np.abs(read_gray(path).astype(int) - SCAN).max() <= 1


def test_half_sampled_colour_is_put_together(tmp_path):
    pairs = SCAN.reshape(-1, 2)
    packed = np.column_stack([pairs, np.full((len(pairs), 2), 128, np.uint8)])
    path = tmp_path / "a.dcm"
    ybr = np.stack([SCAN] * 3, -1)
    tags = {"PhotometricInterpretation": "YBR_FULL_422", "PixelData": packed.tobytes()}
    assert np.abs(read_gray(write_dicom(path, ybr, **tags)).astype(int) - SCAN).max() <= 1


def test_a_palette_is_looked_up(tmp_path):
    table = (np.arange(256, dtype=np.uint16) * 257)[::-1].tobytes()
    names = ("Red", "Green", "Blue")
    tags = {f"{n}PaletteColorLookupTableDescriptor": [256, 0, 16] for n in names}
    tags |= {f"{n}PaletteColorLookupTableData": table for n in names}
    path = write_dicom(tmp_path / "a.dcm", SCAN, PhotometricInterpretation="PALETTE COLOR", **tags)
    assert np.abs(read_gray(path).astype(int) - (255 - SCAN)).max() <= 1


def test_a_loop_is_refused_unless_a_frame_is_chosen(tmp_path):
    path = write_dicom(tmp_path / "loop.dcm", np.stack([SCAN, SCAN // 2, SCAN // 3]))
    with pytest.raises(ImageReadError, match=r"loop.dcm: 3 frames; .* frame=0"):
        read_gray(path)
    assert np.array_equal(read_gray(path, frame=2), SCAN // 3)
    with pytest.raises(ImageReadError, match="frames count from 0 to 2"):
        read_gray(path, frame=-1)


def test_a_colour_loop_gives_its_frame(tmp_path):
    loop = np.stack([np.stack([SCAN // k] * 3, -1) for k in (1, 2)])
    assert np.array_equal(read_gray(write_dicom(tmp_path / "a.dcm", loop), frame=1), SCAN // 2)


@pytest.mark.parametrize("syntax", ["rle", "jpeg"])
def test_compressed_pixels_are_read(tmp_path, syntax):
    import io

    import pydicom
    from PIL import Image

    path = write_dicom(tmp_path / "a.dcm", SCAN)
    dataset = pydicom.dcmread(path)
    if syntax == "rle":
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    else:
        buffer = io.BytesIO()
        Image.fromarray(SCAN).save(buffer, "JPEG", quality=98)
        dataset.PixelData = pydicom.encaps.encapsulate([buffer.getvalue()])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit
    dataset.save_as(path)
    assert np.abs(read_gray(path).astype(int) - SCAN).max() <= (0 if syntax == "rle" else 8)


def test_pixel_size_is_ten_times_the_centimetres_of_the_region(tmp_path):
    path = write_dicom(
        tmp_path / "a.dcm", SCAN, SequenceOfUltrasoundRegions=[us_region(0.0123, -0.0123)]
    )
    assert read_pixel_size_mm(path) == pytest.approx(0.123)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"PixelSpacing": [0.2, 0.2]}, 0.2),
        ({"PixelSpacing": [0.2, 0.3]}, None),
        ({"PixelSpacing": [0, 0]}, None),
        ({"PixelSpacing": [0.2, 0.2], "SequenceOfUltrasoundRegions": [(0.01, 0.01)]}, 0.1),
        ({"SequenceOfUltrasoundRegions": [(0.01, 0.02)]}, None),
        ({"SequenceOfUltrasoundRegions": [(0.01, 0.01), (0.02, 0.02)]}, None),
        ({"SequenceOfUltrasoundRegions": [(0.01, 0.01), (0.01, 0.01)]}, 0.1),
        ({"SequenceOfUltrasoundRegions": [(0.01, 0.01, 4)]}, None),
        ({"SequenceOfUltrasoundRegions": [(0.5, 0.5, 3, 2), (0.01, 0.01)]}, 0.1),
        ({"SequenceOfUltrasoundRegions": [(0.01, 0.01, 4)], "PixelSpacing": [0.2, 0.2]}, 0.2),
    ],
)
def test_pixel_size_is_unknown_unless_it_is_one_length(tmp_path, tags, expected):
    if regions := tags.get("SequenceOfUltrasoundRegions"):
        tags = {**tags, "SequenceOfUltrasoundRegions": [us_region(*r) for r in regions]}
    path = write_dicom(tmp_path / "a.dcm", SCAN, **tags)
    assert read_pixel_size_mm(path) == (expected and pytest.approx(expected))


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({"Modality": "CT"}, "a slice of computed tomography .* as a volume"),
        ({"PixelRepresentation": 1}, "signed 8-bit pixels"),
        ({"PhotometricInterpretation": "HSV"}, "colours 'HSV'"),
        ({"Rows": 65535, "Columns": 65535}, "at most 64 million pixels"),
        ({"Rows": 0}, "without a picture"),
        ({"Rows": 300}, "damaged"),
        ({"BitsStored": 12}, "damaged .*12 bits stored in 8"),
        ({"NumberOfFrames": 10**9}, "1000000000 frames"),
    ],
)
def test_what_is_no_ultrasound_picture_is_refused(tmp_path, tags, found):
    path = write_dicom(tmp_path / "scan.dcm", SCAN, **tags)
    with pytest.raises(ImageReadError, match=f"scan.dcm: .*{found}"):
        read_gray(path)


@pytest.mark.parametrize(
    ("syntax", "found"),
    [
        ("MPEG2MPML", "compressed as MPEG2 .* uncompressed or as PNG"),
        ("JPEGBaseline8Bit", "truncated or damaged"),
    ],
)
def test_a_compression_without_a_decoder_is_told_from_damage(tmp_path, syntax, found):
    import pydicom

    path = write_dicom(tmp_path / "scan.dcm", SCAN)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = pydicom.encaps.encapsulate([b"\x00" * 100])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
    dataset.save_as(path)
    with pytest.raises(ImageReadError, match=f"scan.dcm: .*{found}"):
        read_gray(path)


def test_a_file_deflated_as_a_whole_is_refused_before_it_is_inflated(tmp_path):
    import pydicom

    dataset = pydicom.dcmread(write_dicom(tmp_path / "scan.dcm", SCAN))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "scan.dcm")
    with pytest.raises(ImageReadError, match="scan.dcm: a deflated DICOM file"):
        read_gray(tmp_path / "scan.dcm")


def test_other_files_are_told_from_dicom(tmp_path):
    path = tmp_path / "scan.dcm"
    path.write_bytes(b"ISO image" * 40)
    with pytest.raises(ImageReadError, match="scan.dcm: no DICOM mark"):
        read_dicom_image(path)
    with pytest.raises(ImageReadError, match="scan.dcm: no image"):
        read_gray(path)
    with pytest.raises(ImageReadError, match="no such file"):
        read_pixel_size_mm(tmp_path / "absent.dcm")
