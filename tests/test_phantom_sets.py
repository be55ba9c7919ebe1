"""What holds for sets of phantoms of every kind, and that each kind is drawn as ever."""

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
SKETCHES = [
    ("heads", 1, {}, ((2, 864000), [34.611, 33.268, 30.525, 58.11, 0.659, 0.782, 0.725, 0.817])),
    (
        "abdomens",
        1,
        {},
        ((2, 864000), [46.0, 61.172, 52.089, 42.545, 35.365, 115.777, 94.017, 1.433]),
    ),
    (
        "biometry",
        1,
        {},
        ((4, 1728000), [59.594, 82.926, 33.94, 44.317, 59.615, 36.027, 70.62, 81.341]),
    ),
    (
        "anomalies",
        16,
        {},
        ((56, 12096000), [50.588, 34.769, 33.786, 45.922, 7.797, 6.444, 16.417, 12.586]),
    ),  # each class once
    (
        "fetal-brains",
        1,
        {},
        ((2, 62930), [0.01, 0.62, 0.811, 0.102, 6.617, 187.918, 232.525, 54.788]),
    ),
    (
        "fetal-brains",
        1,
        {"kind": "stacks"},
        ((6, 844192), [0.742, 0.446, 0.423, 0.729, 639.313, 581.154, 609.383, 697.432]),
    ),
    (
        "adult-brains",
        1,
        {},
        ((2, 232760), [0.073, 0.735, 0.748, 0.059, 3.065, 31.754, 31.947, 2.315]),
    ),
]
ATLAS = ((3, 107811), [0.12, 0.619, 0.007, 0.167, 0.162, 3.648, 203.418, 51.371])
WITHIN = 0.01  # of a mean; a change of what is drawn moves it by more


def write(kind, folder, n, seed, /, **options):
    """Write a set as the command does, brains on a coarse grid."""
    module, _, name = KINDS[kind][0].partition(":")
    writer = getattr(importlib.import_module(module), name)
    return writer(folder, n, seed, **OPTIONS.get(kind, {}), **options)


def sketch(folder):
    """Return how many images, volumes and values a set has, and the means of eight parts of them.

    Processors round single pixels another way, by one grey level, which moves no mean.
    """
    images = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in sorted(folder.rglob("*.png"))]
    volumes = [nibabel.load(path).dataobj for path in sorted(folder.rglob("*.nii.gz"))]
    arrays = [*images, *(np.asarray(v.get_unscaled()) for v in volumes)]
    assert all(array.dtype.kind in "iu" for array in arrays)
    values = np.concatenate([array.ravel() for array in arrays])
    means = [round(float(part.mean()), 3) for part in np.array_split(values, 8)]
    return (len(arrays), len(values)), means


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "n", "options", "known"), SKETCHES)
def test_a_kind_is_drawn_as_ever(kind, n, options, known, tmp_path):
    counts, means = sketch(write(kind, tmp_path / "set", n, 7, **options))
    assert (counts, means) == (known[0], pytest.approx(known[1], abs=WITHIN))


def test_no_kind_lacks_a_sketch():
    assert {kind for kind, *_ in SKETCHES} == set(KINDS)


def test_individuals_of_an_atlas_are_made_as_ever(tmp_path):
    templates = [template(weeks) for weeks in (22, 26)]
    folder = write_atlas_cohort(tmp_path / "set", templates, 1, 7, spacing_mm=3.0)
    counts, means = sketch(folder)
    assert (counts, means) == (ATLAS[0], pytest.approx(ATLAS[1], abs=WITHIN))


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
