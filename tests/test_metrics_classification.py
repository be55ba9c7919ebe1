"""Classification scores against scikit-learn, closed forms and the cases that go wrong."""

import numpy as np
import pytest
from sklearn import metrics as sk

from fetal_lib.metrics import calibration as cal
from fetal_lib.metrics import classification as cls
from fetal_lib.metrics import intervals, roc, selective

K = 5


@pytest.fixture(scope="module")
def cases():
    rng = np.random.default_rng(4)
    true = rng.integers(0, K, 300)
    logits = rng.normal(0, 1.5, (300, K)) + 2 * np.eye(K)[true]
    return true, logits, cal.softmax(logits)


def test_scores_are_those_of_scikit_learn(cases):
    true, logits, _ = cases
    pred = logits.argmax(1)
    table = cls.confusion_matrix(true, pred, K)
    np.testing.assert_array_equal(table, sk.confusion_matrix(true, pred))
    precision, recall, f1, n = sk.precision_recall_fscore_support(true, pred)
    scores = cls.class_scores(table)
    for ours, theirs in ((scores.precision, precision), (scores.recall, recall), (scores.f1, f1)):
        np.testing.assert_allclose(ours, theirs)
    np.testing.assert_array_equal(scores.n, n)
    assert cls.macro_f1(table) == pytest.approx(sk.f1_score(true, pred, average="macro"))
    assert cls.accuracy(table) == pytest.approx(sk.accuracy_score(true, pred))
    assert cls.balanced_accuracy(table) == pytest.approx(sk.balanced_accuracy_score(true, pred))


def test_macro_f1_is_the_mean_of_f1_and_not_the_f1_of_means():
    table = np.array([[9, 1], [5, 5]])
    scores = cls.class_scores(table)
    p, r = scores.precision.mean(), scores.recall.mean()
    assert cls.macro_f1(table) == pytest.approx((18 / 24 + 10 / 16) / 2)
    assert abs(cls.macro_f1(table) - 2 * p * r / (p + r)) > 0.01


def test_a_class_without_cases_is_left_out_and_one_never_predicted_counts_zero():
    table = cls.confusion_matrix([0, 0, 1], [0, 0, 0], 3)
    scores = cls.class_scores(table)
    assert np.isnan(scores.recall[2]) and np.isnan(scores.f1[2])
    assert scores.precision[1] == scores.f1[1] == 0
    assert cls.macro_f1(table) == pytest.approx((0.8 + 0) / 2)


def test_groups_are_drawn_whole_and_within_their_class():
    true = np.repeat([0, 1], 40)
    pred = true.copy()
    pred[:20] = 1  # half of class 0 is wrong
    alone = cls.macro_f1(cls.bootstrap_confusions(true, pred, 2))
    tied = cls.macro_f1(cls.bootstrap_confusions(true, pred, 2, groups=np.arange(80) // 20))
    assert np.std(tied) > 2 * np.std(alone)
    draws = cls.bootstrap_confusions(true, pred, 2)
    np.testing.assert_array_equal(draws.sum(2), np.full((len(draws), 2), 40))
    low, high = intervals.percentile_interval(alone)
    assert low < cls.macro_f1(cls.confusion_matrix(true, pred, 2)) < high


def test_the_interval_of_an_accuracy_is_as_wide_as_the_binomial_says():
    true = np.zeros(400, int)
    pred = (np.arange(400) < 100).astype(int)
    low, high = intervals.percentile_interval(cls.accuracy(cls.bootstrap_confusions(true, pred, 2)))
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)
    wilson = intervals.wilson_interval(300, 400)
    assert wilson[0] == pytest.approx(low, abs=0.01) and wilson[1] == pytest.approx(high, abs=0.01)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.0, 1.0], "whole numbers"),
        ([0, 3], "classes are 0 to 1"),
        ([], "N >= 1"),
        (["a", "b"], "Turn class names into"),
    ],
)
def test_labels_that_are_none_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        cls.confusion_matrix(labels, [0, 1], 2)


def test_areas_and_curves_are_those_of_scikit_learn(cases):
    true, _, probs = cases
    probs = probs.round(2)  # ties
    assert roc.macro_auc(true, probs) == pytest.approx(
        np.mean([sk.roc_auc_score(true == k, probs[:, k]) for k in range(K)])
    )
    flat = roc.one_hot(true, K).ravel()
    assert roc.micro_auc(true, probs) == pytest.approx(sk.roc_auc_score(flat, probs.ravel()))
    for k in range(K):
        curve = roc.roc_curve(true == k, probs[:, k])
        x, y, _ = sk.roc_curve(true == k, probs[:, k], drop_intermediate=False)
        np.testing.assert_allclose((curve.x, curve.y), (x, y))
        wanted = sk.average_precision_score(true == k, probs[:, k])
        assert roc.average_precision(true == k, probs[:, k]) == pytest.approx(wanted)


def test_the_area_is_the_chance_that_a_positive_scores_higher():
    rng = np.random.default_rng(0)
    positive = np.repeat([True, False], 5000)
    score = rng.normal(0, 1, 10_000) + positive
    from scipy.stats import norm

    assert roc.auc(positive, score) == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.01)


def test_a_side_without_cases_has_no_area():
    assert np.isnan(roc.auc([True, True], [0.1, 0.2]))
    areas = roc.class_aucs([0, 0, 1], np.eye(3)[[0, 0, 1]])
    assert np.isnan(areas[2]) and roc.macro_auc([0, 0, 1], np.eye(3)[[0, 0, 1]]) == 1.0
    for sides in ([True, True], [False, False]):
        band = roc.roc_band(sides, [0.1, 0.2])
        assert np.isnan([band.auc, *band.auc_ci95]).all()
        assert np.isnan([band.y, band.low, band.high]).all()


@pytest.mark.parametrize("recall", [1.5, 95])
def test_a_share_of_the_positives_is_a_fraction(recall):
    with pytest.raises(ValueError, match="Use 0.95 for 95 %"):
        roc.recall_threshold([True, False], [0.4, 0.3], recall)


def test_the_band_holds_the_curve_and_narrows_with_cases():
    rng = np.random.default_rng(1)
    widths = []
    for n in (40, 640):
        positive = np.arange(n) % 2 == 0
        band = roc.roc_band(positive, rng.normal(0, 1, n) + 1.2 * positive)
        assert (band.low <= band.y + 1e-9).all() and (band.y <= band.high + 1e-9).all()
        assert band.auc_ci95[0] < band.auc < band.auc_ci95[1] and band.n == n // 2
        widths.append((band.high - band.low).mean())
    assert widths[1] < widths[0] / 2


def test_youden_finds_the_crossing_of_two_normals():
    rng = np.random.default_rng(2)
    positive = np.arange(20_000) % 2 == 0
    score = rng.normal(0, 1, 20_000) + 2 * positive
    assert roc.youden_threshold(positive, score) == pytest.approx(1.0, abs=0.2)
    cut = roc.recall_threshold(positive, score, 0.95)
    assert (score[positive] >= cut).mean() == pytest.approx(0.95, abs=0.001)


def test_temperature_finds_how_far_logits_were_stretched():
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (6000, K))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    for stretch in (0.5, 1.0, 4.0):
        found = cal.fit_temperature(stretch * logits, labels)
        assert found == pytest.approx(stretch, rel=0.06)
        best = cal.cross_entropy(stretch * logits, labels, found)
        for other in (0.8 * found, 1.25 * found):
            assert best < cal.cross_entropy(stretch * logits, labels, other)


def test_temperature_mends_calibration_and_leaves_the_order():
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (4000, K))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    sure = 3 * logits
    right = sure.argmax(1) == labels
    before = cal.ece(cal.softmax(sure).max(1), right)
    after = cal.ece(cal.softmax(sure, cal.fit_temperature(sure, labels)).max(1), right)
    assert before > 0.1 and after < 0.03
    np.testing.assert_array_equal(cal.softmax(sure, 3.0).argmax(1), sure.argmax(1))


def test_ece_and_brier_are_those_of_their_definitions():
    confidence = np.array([0.55, 0.65, 0.95, 0.95])
    right = np.array([True, False, True, True])
    assert cal.ece(confidence, right) == pytest.approx((0.45 + 0.65 + 0.1) / 4)
    probs = np.array([[0.7, 0.3], [0.2, 0.8]])
    assert cal.brier_score(probs, [0, 1]) == pytest.approx((2 * 0.09 + 2 * 0.04) / 2)
    assert cal.reliability(confidence, right, 2, equal_mass=True).n.tolist() == [2, 2]
    with pytest.raises(ValueError, match="not logits or per cent"):
        cal.ece([95.0], [True])


@pytest.mark.slow
def test_conformal_sets_hold_what_they_promise_on_new_cases():
    rng = np.random.default_rng(6)
    held = []
    for _ in range(200):
        logits = rng.normal(0, 1.5, (220, K))
        labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)
        probs = cal.softmax(2 * logits)  # not calibrated: the promise does not need it
        cut = selective.set_threshold(probs[:100], labels[:100], 0.85)
        sets = selective.prediction_sets(probs[100:], cut)
        held.append(sets[np.arange(len(sets)), labels[100:]].mean())
    assert 0.84 < np.mean(held) < 0.88


def test_too_few_cases_give_sets_of_all_classes():
    cut = selective.set_threshold(np.eye(3), np.arange(3), 0.9)
    assert cut == 0 and selective.prediction_sets(np.eye(3), cut).all()


def test_the_most_probable_class_is_always_in_its_set():
    sets = selective.prediction_sets(np.array([[0.4, 0.3, 0.3]]), 0.6)
    assert sets.tolist() == [[True, False, False]]


def test_abstention_answers_as_many_as_reach_the_accuracy():
    confidence = np.array([0.9, 0.8, 0.8, 0.7, 0.6])
    right = np.array([True, True, False, True, True])
    assert selective.abstention_threshold(confidence, right, 0.8) == 0.6
    assert selective.abstention_threshold(confidence, right, 0.9) == 0.9  # ties stay together
    assert selective.abstention_threshold(confidence, ~right, 1.0) == np.inf


def test_a_confidence_that_knows_leaves_less_risk_than_one_that_does_not():
    rng = np.random.default_rng(8)
    confidence = rng.random(2000)
    right = rng.random(2000) < confidence
    knows = selective.risk_coverage(confidence, right).area
    blind = selective.risk_coverage(rng.random(2000), right).area
    assert knows < 0.3 and blind == pytest.approx(1 - right.mean(), abs=0.05)


def test_equal_confidences_are_answered_in_no_order():
    confidence = np.array([0.5, 0.9, 0.5, 0.5])
    right = np.array([True, True, False, False])
    order = [2, 3, 0, 1]
    here = selective.risk_coverage(confidence, right)
    there = selective.risk_coverage(confidence[order], right[order])
    assert here.accuracy == pytest.approx([1, 2 / 3, 5 / 9, 0.5])
    assert there.accuracy == pytest.approx(here.accuracy) and there.area == here.area


def test_the_feature_distance_is_that_of_mahalanobis():
    rng = np.random.default_rng(7)
    labels = np.repeat([0, 3], 4000)
    mixing = np.array([[2.0, 0.3], [0.0, 0.5]])
    features = rng.normal(size=(8000, 2)) @ mixing + np.array([[0, 0], [9, 9]])[labels // 3]
    distance = selective.FeatureDistance.fit(features, labels, shrinkage=1e-9)
    point = np.array([[1.0, -2.0]])
    inverse = np.linalg.inv(mixing.T @ mixing)
    wanted = (point @ inverse @ point.T).item()
    assert distance(point)[0] == pytest.approx(wanted, rel=0.08)
    assert np.median(distance(features)) == pytest.approx(1.386, rel=0.1)  # chi-square, 2 d.o.f.
