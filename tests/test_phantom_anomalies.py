"""Brain anomaly phantoms: each class is drawn by what defines it, measured from its masks."""

import cv2
import numpy as np
import pytest

from fetal_lib.data import anomaly_names
from fetal_lib.geometry.contour import largest_region
from fetal_lib.geometry.ellipse import ramanujan_perimeter
from fetal_lib.growth.intergrowth_size import mean_mm, z_score
from fetal_phantoms.anomalies.head_plane import draw_plane
from fetal_phantoms.anomalies.labels import (
    CEREBELLAR_PLANE,
    DEFINITIONS,
    LABELS,
    PLANE_SHARES,
    PLANES,
    VENTRICULAR_PLANE,
)
from fetal_phantoms.anomalies.measure import measure
from fetal_phantoms.anomalies.patient import draw_patient
from fetal_phantoms.anomalies.phantom import make_anomaly
from fetal_phantoms.anomalies.section import CODES

SEEDS = range(300, 306)
SIZE = (400, 540)
LIMITS_MM = {  # the classes by their atrium, as the guidelines have them
    "normal": (0.0, 10.0),
    "mild_ventriculomegaly": (10.0, 12.0),
    "moderate_ventriculomegaly": (12.0, 15.0),
    "severe_ventriculomegaly": (15.0, 40.0),
    "colpocephaly": (10.0, 40.0),
}


def drawn(seed, label, plane, ga_days=None):
    patient = draw_patient(seed, label, ga_days, SIZE)
    return patient, draw_plane(patient, plane)


def tissue(section, *names):
    return np.isin(section.tissue, [CODES[name] for name in names])


def widest_mm(mask, cell_mm):
    """The diameter of the largest disc of pixels: callipers at right angles, by another road."""
    deep = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)
    return (2 * deep.max() - 1) * cell_mm


def widest_part_mm(mask, cell_mm):
    """The widest disc in any of a mask's parts: the two ventricles do not touch."""
    n, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return max(widest_mm(parts == k, cell_mm) for k in range(1, n))


def halves(mask):
    """Split a canvas mask at the midline."""
    upper, lower = mask.copy(), mask.copy()
    upper[mask.shape[0] // 2 :], lower[: mask.shape[0] // 2] = False, False
    return upper, lower


def test_there_are_sixteen_classes_and_the_loader_knows_them():
    assert len(LABELS) == 16 == len(DEFINITIONS)
    assert set(LABELS) == set(anomaly_names.LABELS)
    assert set(PLANE_SHARES) == set(LABELS) and 0 < PLANE_SHARES["normal"] < 1


@pytest.mark.parametrize("label", LIMITS_MM)
@pytest.mark.parametrize("ga_days", [None, 133])
def test_atrium_of_the_mask_is_that_of_the_class(label, ga_days):
    low, high = LIMITS_MM[label]
    for seed in SEEDS:
        _, section = drawn(seed, label, VENTRICULAR_PLANE, ga_days)
        stated = measure(section)["atrium_mm"]
        both = tissue(section, "ventricle", "choroid_plexus")
        seen = widest_part_mm(both, section.cell_mm)
        assert low <= stated < high + 1e-6
        assert seen == pytest.approx(stated, abs=2.1 * section.cell_mm)


@pytest.mark.slow
def test_normal_atria_follow_the_standard():
    z = []
    for seed in range(60):
        patient, section = drawn(seed, "normal", VENTRICULAR_PLANE)
        weeks = patient.fetus.ga_days / 7
        z.append(z_score("ATRIUM", measure(section)["atrium_mm"], weeks))
    assert abs(np.mean(z)) < 0.45 and 0.6 < np.std(z) < 1.2  # the wide end is cut at 9.4 mm


@pytest.mark.parametrize("ga_days", [140, 168, 231])
def test_head_follows_the_standard_of_its_week(ga_days):
    z = []
    for seed in range(80):
        label = LABELS[seed % 16]
        found = draw_patient(seed, label, ga_days, SIZE).fetus
        z.append(z_score("HC", found.hc_mm, ga_days / 7))
    assert abs(np.mean(z)) < 0.35 and 0.78 < np.std(z) < 1.22


@pytest.mark.slow
def test_every_head_can_hold_a_severe_ventriculomegaly():
    for seed in range(400, 430):
        _, section = drawn(seed, "severe_ventriculomegaly", VENTRICULAR_PLANE, 133)
        assert measure(section)["atrium_mm"] >= 15


def test_colpocephaly_is_wide_behind_and_narrow_in_front():
    for seed in SEEDS:
        wide = measure(drawn(seed, "colpocephaly", VENTRICULAR_PLANE)[1])
        assert wide["frontal_horn_mm"] < 3 < 10 <= wide["atrium_mm"]
        severe = measure(drawn(seed, "severe_ventriculomegaly", VENTRICULAR_PLANE)[1])
        assert severe["frontal_horn_mm"] > 3


def calliper_mm(mask, cell_mm):
    """The greatest extent of a mask across the midline, and the depth of its run on it."""
    rows = np.flatnonzero(mask.any(axis=1))
    middle = mask[mask.shape[0] // 2]
    return (rows[-1] - rows[0] + 1) * cell_mm, middle.sum() * cell_mm


@pytest.mark.parametrize(
    "label",
    ["normal", "mega_cisterna_magna", "cerebellar_hypoplasia", "arnold_chiari_malformation"],
)
def test_posterior_fossa_of_the_mask_is_that_of_the_class(label):
    for seed in SEEDS:
        patient, section = drawn(seed, label, CEREBELLAR_PLANE)
        stated, cell = measure(section), section.cell_mm
        tcd = calliper_mm(tissue(section, "cerebellum"), cell)[0]
        cisterna = calliper_mm(tissue(section, "cisterna_magna"), cell)[1]
        assert tcd == pytest.approx(stated["tcd_mm"], abs=1.6 * cell)
        assert cisterna == pytest.approx(stated["cm_mm"], abs=2.1 * cell)
        z = z_score("TCD", stated["tcd_mm"], patient.fetus.ga_days / 7)
        if label == "cerebellar_hypoplasia":
            assert z < -2 and stated["cm_mm"] > mean_mm("CISTERNA_MAGNA", 20)
        elif label == "mega_cisterna_magna":
            assert stated["cm_mm"] > 10 and abs(z) < 2
        elif label == "normal":
            assert 2 <= stated["cm_mm"] < 10 and abs(z) < 2
        else:
            assert stated["cm_mm"] < 2


def bulge(section):
    """How far the middle of the cerebellum's front edge lies before its sides, in diameters."""
    rows, columns = np.nonzero(tissue(section, "cerebellum"))
    middle, wide = (rows.min() + rows.max()) / 2, np.ptp(rows)
    edges = [columns[np.abs(rows - middle - k * wide) < 0.06 * wide].max() for k in (-0.3, 0, 0.3)]
    return (edges[1] - (edges[0] + edges[2]) / 2) / wide


def test_a_banana_is_flatter_than_a_cerebellum_and_not_in_two_lobes():
    bananas, lobes = (
        [drawn(seed, label, CEREBELLAR_PLANE)[1] for seed in SEEDS]
        for label in ("arnold_chiari_malformation", "normal")
    )
    thin = [np.ptp(s.shapes["vermis"][:, 0]) / measure(s)["tcd_mm"] for s in bananas]
    thick = [np.ptp(s.shapes["cerebellum"][:, 0]) / measure(s)["tcd_mm"] for s in lobes]
    assert max(thin) < min(thick)
    assert all(bulge(s) < 0.1 for s in bananas)


def test_chiari_has_a_lemon_skull():
    for seed in SEEDS:
        normal = draw_patient(seed, "normal", None, SIZE)
        chiari = draw_patient(seed, "arnold_chiari_malformation", None, SIZE)
        dent = normal.skull.relief - chiari.skull.relief
        turn = np.linspace(0, 2 * np.pi, dent.size, endpoint=False)
        behind = np.cos(turn) < -0.3
        assert dent.max() > 0.05 and np.abs(dent[behind]).max() < 0.02  # only beside the forehead


def test_holoprosencephaly_has_one_ventricle_across_the_midline():
    for seed in SEEDS:
        _, section = drawn(seed, "holoprosencephaly", VENTRICULAR_PLANE)
        fluid = largest_region(tissue(section, "ventricle"))
        above, below = (half.sum() for half in halves(fluid))
        assert min(above, below) > 0.3 * fluid.sum()
        front = section.tissue[:, section.tissue.shape[1] // 2 :]
        assert not np.isin(front, [CODES["falx"], CODES["cavum"]]).any()


def test_hydranencephaly_has_no_cortex_but_a_falx():
    for seed in SEEDS:
        _, section = drawn(seed, "hydranencephaly", VENTRICULAR_PLANE)
        inside = section.tissue > CODES["skull"]
        assert tissue(section, "lesion_fluid").sum() > 0.7 * inside.sum()
        assert tissue(section, "brain").sum() < 0.1 * inside.sum()
        assert tissue(section, "falx").any()


def test_porencephaly_opens_into_its_ventricle_and_a_cyst_does_not_cover_one():
    opened = []
    for seed in SEEDS:
        patient, section = drawn(seed, "porencephaly", VENTRICULAR_PLANE)
        cavity = tissue(section, "lesion_fluid")
        near = cv2.dilate(cavity.astype(np.uint8), np.ones((5, 5))) > 0
        opened.append((near & tissue(section, "ventricle", "choroid_plexus")).any())
        rows = np.nonzero(cavity)[0] - (section.tissue.shape[0] - 1) / 2
        assert (rows * patient.plan.side > 0).all()  # one hemisphere
    assert all(opened)


def test_a_cyst_is_smooth_fluid():
    for seed in SEEDS:
        _, section = drawn(seed, "arachnoid_cyst", VENTRICULAR_PLANE)
        cyst = tissue(section, "lesion_fluid")
        contours, _ = cv2.findContours(
            cyst.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        assert len(contours) == 1 and section.fluid[section.lesion > 0].mean() > 0.95
        assert cyst.sum() > 0.85 * cv2.contourArea(cv2.convexHull(contours[0]))


@pytest.mark.parametrize("plane", PLANES)
def test_a_cyst_lies_against_skull_or_midline(plane):
    for seed in SEEDS:
        _, section = drawn(seed, "arachnoid_cyst", plane)
        cyst = cv2.dilate(tissue(section, "lesion_fluid").astype(np.uint8), np.ones((9, 9))) > 0
        middle = section.tissue.shape[0] // 2
        at_midline = cyst[middle - 15 : middle + 16].any()
        assert (cyst & tissue(section, "skull")).any() or at_midline


def test_tumour_pushes_the_midline_and_is_not_fluid():
    for seed in SEEDS:
        patient, section = drawn(seed, "intracranial_tumor", VENTRICULAR_PLANE)
        assert measure(section)["mass_mm"] > 8
        assert section.fluid[tissue(section, "lesion_solid")].mean() < 0.4
        assert patient.plan.bow > 0


@pytest.mark.parametrize("plane", PLANES)
def test_a_clot_is_brighter_than_the_brain(plane):
    for seed in SEEDS:
        _, section = drawn(seed, "intracranial_hemorrhage", plane)
        clot = section.level[tissue(section, "lesion_solid")]
        assert np.percentile(clot, 75) > section.level[tissue(section, "brain")].mean() + 6


@pytest.mark.parametrize("plane", PLANES)
def test_vein_of_galen_is_a_tube_in_the_midline_behind(plane):
    for seed in SEEDS:
        _, section = drawn(seed, "vein_of_galen", plane)
        rows, columns = np.nonzero(tissue(section, "lesion_fluid"))
        u = (columns - (section.tissue.shape[1] - 1) / 2) * section.cell_mm
        v = (rows - (section.tissue.shape[0] - 1) / 2) * section.cell_mm
        assert abs(v.mean()) < 2 and np.ptp(u) > 1.5 * np.ptp(v)
        assert np.median(u) < 0 and u.min() < -0.8 * section.semi_major


def test_encephalocele_has_a_gap_in_the_bone_and_a_sac_outside():
    for seed in SEEDS:
        patient, section = drawn(seed, "encephalocele", VENTRICULAR_PLANE)
        missing = (patient.skull.echo_db < -60).mean() * patient.fetus.hc_mm
        assert missing == pytest.approx(patient.gap[1], rel=0.35)
        outside = (section.lesion > 0) & tissue(section, "lesion_fluid", "lesion_solid")
        inner = np.zeros(section.tissue.shape, np.uint8)
        cv2.fillPoly(inner, [section.corners(section.inner)], 1, shift=4)
        assert (outside & (inner == 0)).sum() > 0.5 * outside.sum()


@pytest.mark.parametrize("label", LABELS)
def test_a_finding_is_marked_unless_the_brain_is_normal(label):
    shown = [plane for plane, share in zip(PLANES, (1 - PLANE_SHARES[label], PLANE_SHARES[label]),
                                           strict=True) if share > 0]  # fmt: skip
    for plane in shown:
        for seed in range(310, 314):
            assert bool(drawn(seed, label, plane)[1].lesion.any()) == (label != "normal")


@pytest.mark.parametrize("label", LABELS)
def test_a_phantom_carries_its_truth(label):
    phantom = make_anomaly(77, label)
    assert phantom.image.dtype == np.uint8 and phantom.image.shape == SIZE
    assert phantom.lesion.dtype == bool and phantom.head.dtype == bool
    assert phantom.lesion.shape == phantom.head.shape == phantom.anatomy.shape == SIZE
    assert phantom.lesion.any() == (label != "normal")
    assert phantom.plane in PLANES and phantom.image.std() > 6
    if label != "encephalocele":
        near = cv2.dilate(phantom.head.astype(np.uint8), np.ones((9, 9))) > 0
        assert not phantom.lesion[~near].any()


def test_masks_in_the_image_have_the_stated_size():
    for seed in SEEDS:
        phantom = make_anomaly(seed, "moderate_ventriculomegaly", marks=False)
        edge = np.concatenate([phantom.head[[0, -1]].ravel(), phantom.head[:, [0, -1]].ravel()])
        if edge.any():
            continue
        pixel = phantom.pixel_size_mm
        axes = np.array([phantom.measures["bpd_mm"], phantom.measures["ofd_mm"]]) / 2
        area_mm2 = phantom.head.sum() * pixel**2
        assert area_mm2 == pytest.approx(np.pi * axes.prod(), rel=0.01)
        assert phantom.measures["hc_mm"] == pytest.approx(ramanujan_perimeter(*axes), rel=1e-6)
        codes = [CODES[name] for name in ("ventricle", "choroid_plexus")]
        ventricles = np.isin(phantom.anatomy, codes).astype(np.uint8)
        _, parts = cv2.connectedComponents(ventricles)
        widest = max(widest_mm(parts == k, pixel) for k in range(1, parts.max() + 1))
        assert widest == pytest.approx(phantom.measures["atrium_mm"], abs=2.5 * pixel + 0.4)


@pytest.mark.slow
def test_the_finding_is_seen_in_the_image():
    """Fluid is darker, and solid tissue brighter, than the brain of the same head without it."""
    right = {"severe_ventriculomegaly": [], "hydranencephaly": [], "intracranial_tumor": []}
    for label, hits in right.items():
        for seed in range(500, 512):
            with_it = make_anomaly(seed, label, marks=False, plane=VENTRICULAR_PLANE)
            without = make_anomaly(seed, "normal", marks=False, plane=VENTRICULAR_PLANE)
            names = ("ventricle", "lesion_fluid", "lesion_solid")
            names = names[2:] if label == "intracranial_tumor" else names[:2]
            at = with_it.lesion & np.isin(with_it.anatomy, [CODES[name] for name in names])
            brain = without.anatomy == CODES["brain"]
            relative = with_it.image[at].mean() / max(with_it.image[with_it.head].mean(), 1)
            base = without.image[at & brain].mean() / max(without.image[without.head].mean(), 1)
            hits.append(relative > base if label == "intracranial_tumor" else relative < base)
    assert all(np.mean(hits) >= 0.75 for hits in right.values()), right


def test_a_seed_is_a_picture():
    first, again = (make_anomaly(3, "porencephaly") for _ in range(2))
    assert np.array_equal(first.image, again.image) and first.measures == again.measures
    assert not np.array_equal(first.image, make_anomaly(4, "porencephaly").image)


def test_image_size_changes_the_pixel_size_and_not_the_fetus():
    small, large = (make_anomaly(8, "normal", image_size=size) for size in ((256, 256), SIZE))
    assert small.image.shape == (256, 256)
    assert small.measures["hc_mm"] == pytest.approx(large.measures["hc_mm"], rel=1e-6)
    assert small.pixel_size_mm > 1.5 * large.pixel_size_mm


def test_normal_heads_come_in_both_planes():
    assert {make_anomaly(1, "normal", plane=plane).plane for plane in PLANES} == set(PLANES)
    assert {make_anomaly(seed, "normal").plane for seed in range(8)} == set(PLANES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"label": "colphocephaly"}, "label is 'colphocephaly'; it must be one of normal"),
        ({"ga_days": 22}, "ga_days is 22.*in days"),
        ({"ga_days": float("nan")}, "ga_days is nan"),
        ({"plane": "sagittal"}, "plane is 'sagittal'"),
        ({"label": "mega_cisterna_magna", "plane": PLANES[0]}, "is seen in transcerebellar"),
        ({"image_size": (8, 8)}, r"image_size is \(8, 8\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_anomaly(**{"seed": 0, "label": "normal", **arguments})
