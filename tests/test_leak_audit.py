"""The audit finds every leak that is planted, and none in a clean set."""

from __future__ import annotations

import weakref

import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from planted_leaks import LEAKS, expected_check, planted_cases, verdict_of

from fetal_lib.data.audit import association, clues, hashes, labels, looks, twins
from fetal_lib.data.audit.cases import audit_cases
from fetal_lib.data.audit.clues import score_clue

NAMED = {
    "label": "label",
    "group": "patient",
    "part": "part",
    "source": "source",
    "metadata": ["pixel_size_mm"],
}
CHECKS = {
    "exact duplicates",
    "near-duplicates",
    "groups",
    "group rule",
    "file order",
    "pixel_size_mm",
    "image size",
    "border text",
    "border grey",
    "source",
}
# A leak of one kind is seen by the checks that look at the same thing, and by no other.
ALSO = {
    "exact duplicates": {"group rule"},
    "near-duplicates": {"group rule"},
    "mirrored duplicates": {"group rule"},
    "image size": {"border text", "border grey"},  # the strip that widens the image is black
    "border text": {"border grey"},
}


def found_by(report):
    bad = report.findings[report.findings["verdict"] != "ok"]
    return set(bad["check"])


@pytest.mark.parametrize("numeric", [False, True], ids=["classes", "number"])
def test_a_clean_set_stays_ok(numeric):
    cases, images = planted_cases(None, numeric=numeric)
    report = audit_cases(cases, images, **NAMED)
    assert set(report.findings["check"]) == CHECKS
    assert found_by(report) == set() and report.verdict == "ok"
    assert report.pairs.empty and report.torn.empty and report.not_checked == {}


@pytest.mark.slow
def test_clean_sets_of_many_seeds_stay_ok():
    seen = [
        found_by(audit_cases(*planted_cases(None, seed=seed, numeric=seed % 2 == 0), **NAMED))
        for seed in range(30)
    ]
    assert sum(map(len, seen)) <= 3  # 30 sets of 7 clues at p <= 0.01 give 2 by chance


@pytest.mark.parametrize(
    "numeric", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["classes", "number"]
)
@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_found_by_its_check(leak, numeric):
    cases, images = planted_cases(leak, numeric=numeric)
    report = audit_cases(cases, images, **NAMED)
    check = expected_check(leak)
    assert verdict_of(report, check) == "leak" and report.verdict == "leak"
    assert found_by(report) <= {check} | ALSO.get(leak, set())


@pytest.mark.slow
@pytest.mark.parametrize("leak", ["exact duplicates", "near-duplicates", "mirrored duplicates"])
def test_planted_twins_are_listed_one_by_one(leak):
    cases, images = planted_cases(leak)
    pairs = audit_cases(cases, images, **NAMED).pairs
    train = cases.loc[cases["part"] == "train", "image"][:6]
    test = cases.loc[cases["part"] == "test", "image"][:6]
    planted = {frozenset(pair) for pair in zip(train, test, strict=True)}
    listed = {frozenset(pair) for pair in zip(pairs["image_a"], pairs["image_b"], strict=True)}
    assert listed == planted
    assert set(pairs["exact"]) == {leak == "exact duplicates"}
    assert set(pairs["view"]) == {"mirrored" if leak == "mirrored duplicates" else "as it is"}


def test_without_parts_twins_across_groups_are_a_warning():
    cases, images = planted_cases("near-duplicates")
    report = audit_cases(cases, images, label="label", group="patient")
    assert verdict_of(report, "near-duplicates") == "warning"
    assert len(report.pairs) == 6
    assert set(report.not_checked) == {"groups", "source"}


def test_torn_groups_are_named_with_their_parts():
    cases, images = planted_cases("groups")
    torn = audit_cases(cases, **NAMED).torn
    by_hand = cases.groupby("patient")["part"].nunique()
    assert torn["group"].tolist() == by_hand.index[by_hand > 1].tolist()
    assert torn["n"].between(2, 2).all() and torn["parts"].str.contains(", ").all()


def test_the_strength_of_torn_groups_is_the_share_of_held_out_images_they_hold():
    cases = pd.DataFrame(
        {
            "image": list("abcdef"),
            "g": [1, 1, 2, 3, 4, 5],
            "y": list("xyxyxy"),
            "part": ["train", "test", "test", "test", "test", "train"],
        }
    )
    findings = audit_cases(cases, label="y", group="g", part="part").findings.set_index("check")
    assert findings.loc["groups", "strength"] == pytest.approx(1 / 4)
    assert findings.loc["groups", "value"] == 1


def test_images_are_read_once_and_not_kept():
    cases, images = planted_cases(None, n_groups=40)
    alive, most = weakref.WeakSet(), 0

    def generate():
        nonlocal most
        for image in images:
            held = Held(image.shape, np.uint8, image.tobytes())
            alive.add(held)
            most = max(most, len(alive))
            yield held
            del held

    audit_cases(cases, generate(), **NAMED)
    assert most <= 2


class Held(np.ndarray):
    """An array that can be counted by a weak reference."""

    __hash__ = object.__hash__


def test_the_same_seed_gives_the_same_report():
    cases, images = planted_cases("border text", n_groups=40)
    first, second = (audit_cases(cases, images, **NAMED, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.findings, second.findings)


def test_paths_are_read_and_all_bad_files_named(tmp_path):
    cases, images = planted_cases(None, n_groups=20)
    cases["path"] = [tmp_path / name for name in cases["image"]]
    for path, image in zip(cases["path"], images, strict=True):
        Image.fromarray(image).save(path)
    by_path = audit_cases(cases, "path", **NAMED)
    by_array = audit_cases(cases, iter(images), **NAMED)
    pd.testing.assert_frame_equal(by_path.findings, by_array.findings)
    cases["path"][3].write_bytes(b"")
    cases["path"][5].write_text("no image")
    with pytest.raises(ValueError, match=r"(?s)2 file.s. cannot be used.*0003.png.*0005.png"):
        audit_cases(cases, "path", **NAMED)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "lable"}, r"column\(s\) \['lable'\] are missing"),
        ({"part": "split"}, r"column\(s\) \['split'\] are missing"),
        ({"metadata": ["zoom"]}, r"column\(s\) \['zoom'\] are missing"),
        ({"images": "paths"}, "images='paths': no such column"),
        ({"images": []}, "received none"),
        ({"images": [np.zeros((8, 8), np.uint8)]}, "received 1 for"),
        ({"images": [np.zeros((8, 8))]}, "number 0 has shape .* float64"),
        ({"images": [np.zeros((8, 8, 3), np.uint8)]}, r"shape \(8, 8, 3\)"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    cases, _ = planted_cases(None, n_groups=20)
    with pytest.raises(ValueError, match=message):
        audit_cases(cases, **{**NAMED, **change})


def test_empty_cells_and_repeated_names_are_named():
    cases, _ = planted_cases(None, n_groups=20)
    holes = cases.assign(patient=cases["patient"].mask(cases.index < 2))
    with pytest.raises(ValueError, match=r"empty cells \{'patient': 2\}"):
        audit_cases(holes, **NAMED)
    with pytest.raises(ValueError, match=r"stand twice: \['0000.png'\]"):
        audit_cases(cases.assign(image=["0000.png", *cases["image"][:-1]]), **NAMED)


def test_a_check_that_was_not_made_says_why():
    cases, _ = planted_cases(None, n_groups=20)
    report = audit_cases(cases, **NAMED)
    assert report.not_checked["border text"] == "no images were given"


def test_metadata_may_be_text_have_gaps_or_be_constant():
    cases, _ = planted_cases(None, n_groups=150)
    cases["machine"] = np.where(cases["label"] == "a", "Voluson", "Aloka")
    cases["operator"] = "one"
    cases["gap"] = np.where(cases["label"] == "a", np.nan, 1.0)
    cases["endless"] = np.where(cases["label"] == "a", np.inf, 1.0)
    columns = ["machine", "operator", "gap", "endless"]
    report = audit_cases(cases, **{**NAMED, "metadata": columns})
    assert [verdict_of(report, c) for c in columns] == ["leak", "ok", "leak", "leak"]
    constant = report.findings.set_index("check").loc["operator", "finding"]
    assert "the same for all" in constant


def test_a_column_can_give_the_order():
    cases, _ = planted_cases(None, numeric=True)
    number = np.argsort(np.argsort(cases["label"]))
    cases["file"] = [f"{n:04d}.png" for n in number]
    report = audit_cases(cases, **NAMED, order="file")
    row = report.findings.set_index("check").loc["file"]
    assert row["verdict"] == "leak" and row["rank_corr"] == pytest.approx(1, abs=1e-3)


def test_the_hash_is_that_of_the_imagehash_package():
    rng = np.random.default_rng(0)
    images = [planted_cases(None, n_groups=10)[1][i] for i in range(5)]
    images += [rng.integers(0, 255, size, dtype=np.uint8) for size in ((540, 800), (31, 20))]
    theirs = [imagehash.phash(Image.fromarray(i), hashes.HASH_SIDE).hash.ravel() for i in images]
    mine = [hashes.view_hashes(hashes.thumbnail(image))[0] for image in images]
    assert np.array_equal(mine, theirs)


def test_the_hashes_of_views_are_those_of_the_turned_picture():
    thumb = hashes.thumbnail(planted_cases(None, n_groups=10)[1][0])
    turned = (thumb, thumb[:, ::-1], thumb[::-1], thumb[::-1, ::-1])
    for view, picture in zip(hashes.view_hashes(thumb), turned, strict=True):
        assert (view != hashes.view_hashes(picture)[0]).sum() <= 1  # the median may round


def test_twins_in_blocks_are_those_found_one_by_one(monkeypatch):
    rng = np.random.default_rng(0)
    n = twins.BLOCK + 60
    bits = rng.random((n, 144)) < 0.5
    for i in range(0, 120, 2):
        bits[n - 1 - i] = bits[i]
        bits[n - 1 - i, : i // 4] ^= True
    part = rng.choice(["test", "train"], n)
    found = twins.find_twins(hashes.packed(bits)[:, None], part)
    distance = (bits[:, None] != bits[None]).sum(2)
    wanted = [(i, j) for i in range(n) for j in range(i + 1, n) if distance[i, j] <= twins.MAX_BITS]
    wanted = {pair for pair in wanted if part[pair[0]] != part[pair[1]]}
    assert set(zip(found.first, found.second, strict=True)) == wanted and len(wanted) > 10
    assert (distance[found.first, found.second] == found.bits).all()
    assert (np.diff(found.bits) >= 0).all() and found.n_pairs == len(wanted)
    monkeypatch.setattr(twins, "MAX_LISTED", 5)
    few = twins.find_twins(hashes.packed(bits)[:, None], part)
    assert len(few.bits) == 5 and few.n_pairs == len(wanted)
    assert few.bits.tolist() == found.bits[:5].tolist()
    assert (few.has_twin == found.has_twin).all()


@pytest.mark.slow
def test_ten_thousand_images_are_compared_within_bounds():
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**63, (10_000, 4, 3)).astype(np.uint64)
    words[..., 2] &= np.uint64(0xFFFF)
    words[9_999, 2] = words[17, 0]
    found = twins.find_twins(words, np.arange(10_000))
    assert (found.first, found.second) == (17, 9_999)
    assert (found.n_pairs, found.bits, found.view) == (1, 0, 2)


def test_the_score_of_classes_is_the_mean_one_against_rest_auc():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 200)
    guess = rng.dirichlet([1, 1, 1], 200) + 0.3 * np.eye(3)[kind]
    mine = clues._auc(labels.as_columns(kind)[:, None], guess[:, None])[0]
    guess /= guess.sum(1, keepdims=True)
    each = [roc_auc_score(kind == k, guess[:, k]) for k in range(3)]
    raw = clues._auc(labels.as_columns(kind)[:, None], guess[:, None])[0]
    assert raw == pytest.approx(np.mean(each)) and mine > 0.5


def test_the_score_of_a_number_is_r2():
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(0)
    true, guess = rng.normal(size=100), rng.normal(size=100)
    mine = clues._r2(true[:, None, None], guess[:, None, None])[0]
    assert mine == pytest.approx(r2_score(true, guess))


def test_a_clue_that_is_noise_is_within_chance_and_one_that_is_the_label_is_not():
    rng = np.random.default_rng(5)
    number, groups = rng.normal(100, 20, 400), np.arange(400) // 2
    noise = score_clue(rng.normal(size=400), number, groups)
    assert noise.p > 0.05 and noise.strength < 0.05
    true = score_clue(number, number, groups)
    assert true.value > 0.95 and true.p == pytest.approx(1 / 200)
    assert true.rank_corr == pytest.approx(1)


def test_repeat_frames_do_not_make_a_clue():
    """A clue and a label that both belong to the patient, and have nothing to do with each other,
    would look tied if frames of one patient were in the fit and in the test."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 12)
    clue, kind = rng.normal(size=40)[groups], rng.choice(list("ab"), 40)[groups]
    assert score_clue(clue, kind, groups).p > 0.05
    assert score_clue(clue, kind, np.arange(480)).strength > 0.9, "what ungrouped folds would say"


def test_a_constant_image_size_is_not_scored_by_the_order_of_the_files():
    kind = np.repeat(list("ab"), 50)
    sizes = np.full((100, 2), 256.0)
    sizes[0] = 255  # one other size; all the rest are ties
    score = score_clue(sizes, kind, np.arange(100))
    assert score.p > 0.01


@pytest.mark.parametrize("n", [10, 12, 14])
def test_a_clue_that_is_the_label_is_seen_in_the_fewest_groups_that_are_scored(n):
    number = np.arange(n, dtype=float)
    kind = np.where(number % 2, "a", "b")
    assert score_clue(number % 2, kind, np.arange(n)).value == 1
    assert score_clue(number, number, np.arange(n)).value > 0.7


def test_too_few_groups_or_one_label_are_not_scored():
    assert score_clue(np.arange(20), np.repeat(list("ab"), 10), np.arange(20) // 4) is None
    assert score_clue(np.arange(20), ["a"] * 20, np.arange(20)) is None
    assert (
        score_clue(np.arange(20), ["a"] * 10 + ["b"] * 10, [0] * 10 + [*range(1, 11)]) is not None
    )


def test_chance_keeps_the_labels_of_a_group_together():
    groups = np.repeat(np.arange(30), 4)
    kind = np.repeat(np.arange(30) % 3, 4)
    for order in labels.chance_orders(groups, 20, seed=0):
        dealt = kind[order].reshape(30, 4)
        assert (dealt == dealt[:, :1]).all()
        assert sorted(dealt[:, 0]) == sorted(kind[::4])


def test_cramers_v_is_that_of_scipy_and_eta_that_of_the_analysis_of_variance():
    from scipy.stats import f_oneway
    from scipy.stats.contingency import association as by_scipy

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, 200), rng.integers(0, 4, 200)
    b[a == 0] = 1
    table = pd.crosstab(a, b).to_numpy()
    assert association.cramers_v(a, b) == pytest.approx(by_scipy(table, method="cramer"))
    value = rng.normal(size=200) + a
    f = f_oneway(*(value[a == k] for k in range(3))).statistic
    eta2 = f * 2 / (f * 2 + 197)
    assert association.correlation_ratio(a, value) ** 2 == pytest.approx(eta2)


def test_text_in_the_border_is_ink_and_a_bright_band_is_not():
    plain = np.full((96, 96), 60, np.uint8)
    band, text = plain.copy(), plain.copy()
    band[:12] = 220
    text[4:6, 10:40] = 255
    ink = [looks.rim_features(image)[1].sum() for image in (plain, band, text)]
    assert ink[0] == ink[1] == 0 < ink[2]
    assert looks.rim_features(band)[0].sum() > looks.rim_features(plain)[0].sum()


def test_the_middle_of_an_image_is_not_in_its_rim():
    image = np.full((160, 160), 90, np.uint8)
    other = image.copy()
    other[24:136:3, 24:136] = 255
    for mine, theirs in zip(looks.rim_features(image), looks.rim_features(other), strict=True):
        assert (mine == theirs).all()
