"""Reading volumes: every orientation and way of saving, and every way in which files go wrong."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc

import numpy as np
import pytest
from made_up_scans import real_data
from made_up_volumes import AFFINE, DATA, save_frames, save_nifti, save_series, save_slice

from fetal_lib.readers.volume import VolumeReadError, read_labels, read_volume

nibabel = pytest.importorskip("nibabel")


def refused(path, *words, **options):
    with pytest.raises(VolumeReadError) as caught:
        read_volume(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") or path.is_dir(), message
    assert message.endswith(".") and all(word in message for word in words), message


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".img", ".NII.GZ"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64, np.uint16])
def test_values_and_grid_come_out_as_they_went_in(tmp_path, ending, dtype):
    data = (DATA % 250).astype(dtype)
    path = tmp_path / f"a{ending.lower()}"
    save_nifti(path, data, kind="Nifti1Pair" if ending == ".img" else "Nifti1Image")
    volume = read_volume(path.rename(tmp_path / f"a{ending}"))
    np.testing.assert_array_equal(volume.data, data)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-6)
    assert volume.data.dtype == np.float32 and volume.orientation_known
    assert volume.spacing_mm == pytest.approx((1.1, 1.2, 3.3))


def test_nifti_2_big_endian_and_scaled_values(tmp_path):
    two = save_nifti(tmp_path / "two.nii.gz", kind="Nifti2Image")
    np.testing.assert_array_equal(read_volume(two).data, DATA)
    image = nibabel.Nifti1Image(DATA.astype(">i2"), AFFINE, nibabel.Nifti1Header(endianness=">"))
    nibabel.save(image, tmp_path / "big.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "big.nii").data, DATA)
    image = nibabel.Nifti1Image(DATA / 7.0 - 20, AFFINE)
    image.set_data_dtype(np.int16)
    nibabel.save(image, tmp_path / "scaled.nii.gz")
    found = read_volume(tmp_path / "scaled.nii.gz").data
    np.testing.assert_allclose(found, DATA / 7.0 - 20, atol=0.01)


ORIENTATIONS = list(itertools.product(itertools.permutations(range(3)), [(1, 1, 1), (-1, 1, -1)]))


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_any_orientation_is_turned_to_ras(tmp_path, order, signs):
    turn = nibabel.orientations.axcodes2ornt(
        tuple(("LR", "PA", "IS")[axis][sign > 0] for axis, sign in zip(order, signs, strict=True))
    )
    source = nibabel.Nifti1Image(DATA, AFFINE)
    path = tmp_path / "a.nii.gz"
    ras = nibabel.orientations.axcodes2ornt("RAS")
    nibabel.save(source.as_reoriented(nibabel.orientations.ornt_transform(ras, turn)), path)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, DATA)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)


def test_an_oblique_grid_keeps_its_place(tmp_path):
    from scipy.spatial.transform import Rotation

    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [12, -9, 20], degrees=True).as_matrix() * 1.5
    flipped = affine @ np.diag([-1, 1, 1, 1])
    volume = read_volume(save_nifti(tmp_path / "a.nii", affine=flipped))
    at = np.linalg.inv(volume.affine) @ flipped @ np.array([0, 0, 0, 1.0])
    assert volume.data[tuple(np.round(at[:3]).astype(int))] == DATA[0, 0, 0]
    assert volume.spacing_mm == pytest.approx([1.5] * 3)
    assert (np.diag(volume.affine)[:3] > 0).all()


def test_a_file_that_does_not_say_how_the_head_lies_says_so(tmp_path):
    path = save_nifti(tmp_path / "a.nii", affine=None)
    assert not read_volume(path).orientation_known


def test_a_last_axis_of_one_is_no_fourth_dimension(tmp_path):
    path = save_nifti(tmp_path / "a.nii.gz", DATA[..., None])
    np.testing.assert_array_equal(read_volume(path).data, DATA)


def test_four_dimensions_are_refused_unless_one_volume_is_chosen(tmp_path):
    path = save_nifti(tmp_path / "a.nii.gz", np.stack([DATA, DATA + 5], axis=-1))
    refused(path, "2 volumes", "(7, 8, 9, 2)", "index=0")
    np.testing.assert_array_equal(read_volume(path, index=1).data, DATA + 5)
    refused(path, "index=2", "count to 1", index=2)


def test_missing_empty_and_other_files(tmp_path):
    refused(tmp_path / "none.nii", "no such file", "Check the path")
    (tmp_path / "zero.nii.gz").write_bytes(b"")
    refused(tmp_path / "zero.nii.gz", "0 bytes")
    (tmp_path / "page.nii.gz").write_bytes(b"<!DOCTYPE html><html>404")
    refused(tmp_path / "page.nii.gz", "a web page")
    (tmp_path / "lfs.nii").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid")
    refused(tmp_path / "lfs.nii", "Git LFS pointer")
    (tmp_path / "packed.nii.gz").write_bytes(gzip.compress(b"\x89PNG and so on" * 60))
    refused(tmp_path / "packed.nii.gz", "a PNG image")
    (tmp_path / "hollow.nii.gz").write_bytes(gzip.compress(b""))
    refused(tmp_path / "hollow.nii.gz", "nothing in it")
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "no DICOM image among them")
    refused(tmp_path / "zero.nii.gz" / "below.nii", "no such file")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.995])
def test_cut_files_are_refused(tmp_path, ending, share):
    path = save_nifti(tmp_path / f"a{ending}")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path)


def test_damage_that_still_unpacks_is_found_by_the_checksum(tmp_path):
    path = save_nifti(tmp_path / "a.nii.gz")
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # the checksum itself
    path.write_bytes(bytes(content))
    refused(path, "truncated or damaged", "CRC")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_and_refused(tmp_path, value):
    data = DATA.astype(np.float32)
    data[1, 2, 3:5] = value
    refused(save_nifti(tmp_path / "a.nii.gz", data), "2 of 504 voxels", "finite")


def test_values_beyond_float32_are_refused(tmp_path):
    refused(save_nifti(tmp_path / "a.nii", DATA * 1e300), "float32")


@pytest.mark.parametrize(("code", "unit"), [(1, "metres"), (3, "micrometres")])
def test_lengths_in_other_units_are_refused(tmp_path, code, unit):
    refused(save_nifti(tmp_path / "a.nii", xyzt_units=code), f"lengths are in {unit}")


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_implausible_spacing_is_refused(tmp_path, factor):
    affine = AFFINE @ np.diag([factor, factor, factor, 1])
    refused(save_nifti(tmp_path / "a.nii", affine=affine), "mm", "0.1 to 20 mm", "suspected")


@pytest.mark.parametrize("fault", ["equal axes", "nan"])
def test_an_affine_without_three_directions_is_refused(tmp_path, fault):
    path = save_nifti(tmp_path / "a.nii", sform_code=2, qform_code=0)
    content = bytearray(path.read_bytes())
    row = np.frombuffer(bytes(content[280:328]), "<f4").reshape(3, 4).copy()
    if fault == "nan":
        row[1, 1] = np.nan
    else:
        row[:, 1] = row[:, 0]
    content[280:328] = row.astype("<f4").tobytes()
    path.write_bytes(bytes(content))
    refused(path)


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (1, 1, 1)])
def test_a_picture_is_no_volume(tmp_path, shape):
    refused(save_nifti(tmp_path / "a.nii", np.ones(shape, np.int16)), "the shape is")


def test_colour_and_complex_are_refused(tmp_path):
    refused(save_nifti(tmp_path / "a.nii", DATA.astype(np.complex64)), "complex64")
    colour = np.zeros(DATA.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    refused(save_nifti(tmp_path / "b.nii", colour), "one real number")


def test_a_promise_of_a_giant_costs_no_memory(tmp_path):
    path = save_nifti(tmp_path / "a.nii.gz")
    content = bytearray(gzip.decompress(path.read_bytes()))
    for sides, word in (((580, 580, 580), "damaged"), ((20000, 20000, 20000), "200 million")):
        content[42:48] = np.array(sides, "<i2").tobytes()
        path.write_bytes(gzip.compress(bytes(content)))
        tracemalloc.start()
        refused(path, word)
        assert tracemalloc.get_traced_memory()[1] < 30e6
        tracemalloc.stop()


def test_what_follows_the_voxels_is_read_in_pieces_and_not_for_ever(tmp_path):
    path = save_nifti(tmp_path / "a.nii.gz")
    with gzip.open(path, "ab", compresslevel=1) as file:
        for _ in range(9):
            file.write(bytes(8 << 20))
    tracemalloc.start()
    refused(path, "goes on after the voxels")
    assert tracemalloc.get_traced_memory()[1] < 40e6
    tracemalloc.stop()


def test_the_file_is_left_as_it_was(tmp_path):
    path = save_nifti(tmp_path / "a.nii.gz")
    before = path.read_bytes(), path.stat().st_mtime_ns
    read_volume(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_labels_are_whole_numbers(tmp_path):
    labels = read_labels(save_nifti(tmp_path / "a.nii.gz", (DATA % 5).astype(np.float32)))
    np.testing.assert_array_equal(labels.data, DATA % 5)
    with pytest.raises(VolumeReadError, match="nearest neighbour"):
        read_labels(save_nifti(tmp_path / "b.nii.gz", DATA / 3))
    with pytest.raises(VolumeReadError, match="a label of -"):
        read_labels(save_nifti(tmp_path / "c.nii.gz", -DATA))


# --- DICOM -------------------------------------------------------------------------------------


@pytest.fixture
def oblique():
    from scipy.spatial.transform import Rotation

    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", [8, -6, 11], degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.diag([1.1, 1.2, 3.3])
    affine[:3, 3] = -4, 5, -9
    return affine


def test_a_series_agrees_with_what_was_written_and_with_simpleitk(tmp_path, oblique):
    sitk = pytest.importorskip("SimpleITK")
    pytest.importorskip("pydicom")
    folder = save_series(tmp_path / "series", affine=oblique, RescaleSlope=2, RescaleIntercept=-7)
    (folder / "notes.txt").write_text("not DICOM")
    volume = read_volume(folder)
    np.testing.assert_allclose(volume.data, 2.0 * DATA - 7)
    np.testing.assert_allclose(volume.affine, oblique, atol=1e-6)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    np.testing.assert_allclose(sitk.GetArrayFromImage(image).transpose(2, 1, 0), volume.data)
    corner = np.array(image.TransformIndexToPhysicalPoint((6, 3, 8))) * [-1, -1, 1]
    np.testing.assert_allclose(volume.affine @ [6, 3, 8, 1], [*corner, 1], atol=1e-4)
    assert volume.spacing_mm == pytest.approx(image.GetSpacing())


def test_an_enhanced_file_is_the_same_volume(tmp_path, oblique):
    pytest.importorskip("pydicom")
    for path in (save_frames(tmp_path / "a.dcm", affine=oblique), tmp_path):  # or its folder
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.data, DATA)
        np.testing.assert_allclose(volume.affine, oblique, atol=1e-6)


def test_a_sagittal_series_is_turned_to_ras(tmp_path):
    pytest.importorskip("pydicom")
    affine = np.array([[0, 0, 3.3, -20], [1.1, 0, 0, -9], [0, -1.2, 0, 8], [0, 0, 0, 1.0]])
    volume = read_volume(save_series(tmp_path / "s", affine=affine))
    np.testing.assert_array_equal(volume.data, DATA.transpose(2, 0, 1)[:, :, ::-1])
    assert volume.spacing_mm == pytest.approx((3.3, 1.1, 1.2))


def test_series_that_make_no_volume_are_refused(tmp_path):
    pytest.importorskip("pydicom")
    hole = save_series(tmp_path / "hole")
    (hole / "20.dcm").unlink()
    refused(hole, "slices are missing")
    two = save_series(tmp_path / "two")
    save_slice(
        two / "x.dcm", DATA[:, :, 0], AFFINE, 20, SeriesInstanceUID="9", SeriesDescription="T1"
    )
    refused(two, "2 series", "'T1'", "folder of its own")
    double = save_series(tmp_path / "double")
    save_slice(double / "x.dcm", DATA[:, :, 0], AFFINE, 0)
    refused(double, "two slices at one place")
    askew = save_series(tmp_path / "askew")
    tilt = [1.0, 0.0, 0.0, 0.0, 0.8, 0.6]
    save_slice(askew / "x.dcm", DATA[:, :, 0], AFFINE, 9, ImageOrientationPatient=tilt)
    refused(askew, "several angles")
    one = tmp_path / "one"
    one.mkdir()
    refused(save_slice(one / "a.dcm", DATA[:, :, 0], AFFINE, 0), "one DICOM slice", "folder")
    refused(one, "1 slice")
    odd = save_series(tmp_path / "odd")
    save_slice(odd / "x.dcm", DATA[:5, :, 0], AFFINE, 9)
    refused(odd, "one size a series")
    lost = save_series(tmp_path / "lost")
    save_slice(lost / "x.dcm", DATA[:, :, 0], AFFINE, 9, ImagePositionPatient=None)
    refused(lost, "without a place")
    cut = save_series(tmp_path / "cut")
    (cut / "00.dcm").write_bytes((cut / "00.dcm").read_bytes()[:-40])
    refused(cut, "00.dcm", "damaged")


def test_real_templates_agree_with_nibabel():
    folder = real_data("spina_bifida_atlas")
    path = sorted(folder.glob("*/srr.nii.gz"))[0]
    volume, image = read_volume(path), nibabel.load(path)
    np.testing.assert_allclose(volume.data, image.get_fdata(), rtol=1e-6)
    np.testing.assert_allclose(volume.affine, image.affine)
    assert volume.spacing_mm == pytest.approx([0.8] * 3, rel=1e-5)
    labels = read_labels(path.with_name("parcellation.nii.gz"))
    assert set(np.unique(labels.data)) == set(range(9))


def test_a_slice_deflated_as_a_whole_is_refused_before_it_is_inflated(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    folder = save_series(tmp_path / "series")
    path = sorted(folder.iterdir())[1]
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    refused(folder, path.name, "a deflated DICOM file", "without compression")
