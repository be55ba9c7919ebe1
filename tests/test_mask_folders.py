"""Two folders, paired by name; what has no partner is named."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from made_up_scans import SIZE, head, real_data, ring_of, save, scan, write_heads

from fetal_lib.data.bad_files import BadFilesError
from fetal_lib.data.layouts.heads import iter_cases as iter_heads
from fetal_lib.data.layouts.heads import read_cases as read_heads
from fetal_lib.data.layouts.mask_folders import find
from fetal_lib.data.masks import iter_cases


def write(folder, masks="masks", names=("1.png", "2_mask.PNG", "3_Annotation.bmp", "4_SEG.tif")):
    for i, name in enumerate(names):
        save(folder / "scans" / f"{i + 1}.png", scan(i))
        drawing = ring_of(head(i)) if i % 2 else head(i).mask(SIZE).astype(np.uint8) * 255
        save(folder / masks / name, drawing)
    return folder / "scans", folder / masks


def test_masks_are_found_by_stem_and_suffix_and_outlines_filled(tmp_path):
    write(tmp_path)
    table = find(tmp_path).usable()
    assert list(table["image"]) == ["1.png", "2.png", "3.png", "4.png"]
    assert list(table["subject"]) == ["1", "2", "3", "4"]
    assert table["pixel_size_mm"].isna().all()
    for i, (image, mask, size_hw) in enumerate(iter_cases(table, SIZE)):
        assert np.array_equal(image, scan(i)) and size_hw == SIZE
        assert ((mask > 127) != head(i).mask(SIZE)).mean() < 0.004


def test_one_folder_may_hold_both(tmp_path):
    names = ("1_mask.png", "2_seg.png")
    images, _ = write(tmp_path, "scans", names)
    assert list(find(images).usable()["image"]) == ["1.png", "2.png"]


def test_other_and_hidden_files_are_passed_over(tmp_path):
    images, masks = write(tmp_path)
    (images / ".hidden.png").write_bytes(b"")
    (images / "Thumbs.db").write_bytes(b"")
    (masks / "notes.txt").write_text("mine")
    assert len(find(tmp_path).usable()) == 4


def test_everything_without_one_partner_is_named(tmp_path):
    images, masks = write(tmp_path)
    (masks / "1.png").unlink()
    save(masks / "7_mask.png", ring_of(head()))
    save(masks / "2.png", ring_of(head()))
    save(images / "3.jpg", scan())
    with pytest.raises(BadFilesError) as raised:
        find(tmp_path).usable()
    message = str(raised.value)
    assert "1.png: an image without a mask; 1.png or 1_mask.png" in message
    assert "7_mask.png: a mask without an image; 7.png is needed" in message
    assert "2.png: 2 masks (2.png, 2_mask.PNG); keep one" in message
    assert "3: two images of this name" in message


def test_pixel_sizes_come_from_a_table(tmp_path):
    folder = write_heads(tmp_path) / "training_set"
    csv = folder / "pixel_sizes.csv"
    shutil.copy(tmp_path / "training_set_pixel_size_and_HC.csv", csv)
    table = find(folder).usable()
    assert (table["pixel_size_mm"] == 0.5).all()
    csv.write_text("image;pixel_size_mm\n000_HC.png;0,5\n002_HC.png;0,5\n")
    both = "(?s)000_2HC.png has no pixel size.*003_HC.png has no"
    with pytest.raises(BadFilesError, match=both):
        find(folder).usable()
    csv.write_text("image,mm\n000_HC.png,0.5\n")
    with pytest.raises(BadFilesError, match="a column of .*'pixel_size_mm'.* are needed"):
        find(folder).usable()


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no case that can be used"):
        find(tmp_path).usable()


@pytest.mark.slow
def test_real_outlines_fill_to_the_ellipses_of_their_own_loader():
    folder = real_data("hc18")
    heads = read_heads(folder).iloc[::25]
    table = find(folder / "training_set").usable()
    table = table.sort_values("image")
    table = table[table["image"].isin(heads["image"])]
    assert list(table["image"]) == list(heads["image"])
    for ours, theirs in zip(
        iter_cases(table, (256, 256)), iter_heads(heads, (256, 256)), strict=True
    ):
        difference = np.abs(ours[1].astype(int) - theirs[1]).sum()
        assert difference < 0.005 * theirs[1].astype(int).sum()
