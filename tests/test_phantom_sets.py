"""What holds for sets of phantoms of every kind, and that each kind is drawn as ever."""

import hashlib
import importlib

import numpy as np
import pytest
from made_up_atlas import template

from fetal_book.cli.phantoms import KINDS
from fetal_phantoms.atlas_set import write_atlas_cohort

cv2 = pytest.importorskip("cv2")
nibabel = pytest.importorskip("nibabel")

OPTIONS = {"fetal-brains": {"spacing_mm": 3.0}, "adult-brains": {"spacing_mm": 4.0}}
MARKS = {"adult-brains": pytest.mark.slow}
every_kind = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=MARKS.get(kind, ())) for kind in KINDS]
)
FINGERPRINTS = [
    ("heads", 1, {}, "474eca96639f48c9"),
    ("abdomens", 1, {}, "c012e216d0cd82b6"),
    ("biometry", 1, {}, "58d79360980c6cb4"),
    ("anomalies", 16, {}, "8c67da91fc05823e"),  # each class once
    ("fetal-brains", 1, {}, "3f07bbaf02c6b6f2"),
    ("fetal-brains", 1, {"kind": "stacks"}, "9e2bb69df5e7c30a"),
    ("adult-brains", 1, {}, "e425c2821cbc698b"),
]


def write(kind, folder, n, seed, /, **options):
    """Write a set as the command does, brains on a coarse grid."""
    module, _, name = KINDS[kind][0].partition(":")
    writer = getattr(importlib.import_module(module), name)
    return writer(folder, n, seed, **OPTIONS.get(kind, {}), **options)


def fingerprint(folder):
    """Return a hash of all images and volumes of a set, whose files hold whole numbers."""
    images = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in sorted(folder.rglob("*.png"))]
    volumes = [nibabel.load(path).dataobj for path in sorted(folder.rglob("*.nii.gz"))]
    digest = hashlib.sha256()
    for array in [*images, *(np.asarray(v.get_unscaled()) for v in volumes)]:
        assert array.dtype.kind in "iu"
        digest.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "n", "options", "known"), FINGERPRINTS)
def test_a_kind_is_drawn_as_ever(kind, n, options, known, tmp_path):
    assert fingerprint(write(kind, tmp_path / "set", n, 7, **options)) == known


def test_no_kind_lacks_a_fingerprint():
    assert {kind for kind, *_ in FINGERPRINTS} == set(KINDS)


def test_individuals_of_an_atlas_are_made_as_ever(tmp_path):
    templates = [template(weeks) for weeks in (22, 26)]
    folder = write_atlas_cohort(tmp_path / "set", templates, 1, 7, spacing_mm=3.0)
    assert fingerprint(folder) == "fb6f2e1d9492d259"


@every_kind
def test_a_subject_is_the_same_however_many_are_asked_for(kind, tmp_path):
    seen = []
    more = write(kind, tmp_path / "more", 3, 9, progress=lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    fewer = write(kind, tmp_path / "fewer", 2, 9)
    for path in fewer.rglob("*.*"):
        same = (more / path.relative_to(fewer)).read_bytes()
        if path.suffix in (".csv", ".tsv"):
            assert same.startswith(path.read_bytes())
        elif path.suffix != ".json":
            assert same == path.read_bytes(), path.name
    assert list(tmp_path.glob("*.part*")) == []


@every_kind
def test_a_failed_run_leaves_nothing_and_a_full_folder_alone(kind, tmp_path):
    def stop(done, n):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(kind, tmp_path / "set", 2, 0, progress=stop)
    for n, seed, words in ((0, 0, "is 0 and seed 0; at least 1"), (1, -1, "seed (is )?-1")):
        with pytest.raises(ValueError, match=words):
            write(kind, tmp_path / "set", n, seed)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds files already"):
        write(kind, tmp_path, 1, 0)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
