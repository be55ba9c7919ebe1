"""Formulas and settings that the methods pages state are those of the code."""

import inspect
import math
import re

import numpy as np
import pytest
from test_book import BOOK

from fetal_book.chapters import age_scores
from fetal_book.chapters.biometry_segmentation import scores as structures
from fetal_book.chapters.brain_anomalies import scores as anomalies
from fetal_lib.data.audit import clues, hashes, report, twins
from fetal_lib.geometry import callipers
from fetal_lib.growth import (
    bpd_convention,
    hadlock,
    intergrowth_age,
    intergrowth_size,
    intergrowth_weight,
)
from fetal_lib.growth import intergrowth_tables as tables
from fetal_lib.metrics import calibration, classification, intervals
from fetal_lib.predict import head_measure


def page(name):
    return " ".join((BOOK / name).read_text("utf-8").split())


LATEX = {
    r"\,": " ",
    r"\!": "",
    r"\\ &": " ",
    r"\left(": "(",
    r"\right)": ")",
    r"\exp": "exp",
    r"\ln": " ln",
    r"\times 10^{-9}": "e-9",
    "^": "**",
}


def formula(text, **values):
    """Evaluate a formula of a page, written in LaTeX, of one variable."""
    for latex, python in LATEX.items():
        text = text.replace(latex, python)
    text = re.sub(r"ln ([gc])", r"ln(\1)", text).replace(" e-9", "e-9")
    text = re.sub(r"(?<=[\d)])\s*(?=[gc(l])", " * ", text)
    return eval(text, {"__builtins__": {}}, {"ln": math.log, "exp": math.exp, **values})


@pytest.mark.parametrize("weeks", [14.5, 20.0, 33.3, 40.0])
def test_the_growth_page_has_the_curves_of_the_head(weeks):
    text = page("methods/growth_standards.md")
    mean = re.search(r"\\mu\(g\) =\{\}& (.+?),\\\\", text)[1]
    sd = re.search(r"\\sigma\(g\) =\{\}& (.+?), \\end", text)[1]
    assert formula(mean, g=weeks) == pytest.approx(intergrowth_size.mean_mm("HC", weeks), rel=1e-9)
    assert formula(sd, g=weeks) == pytest.approx(intergrowth_size.sd_mm("HC", weeks), rel=1e-9)


@pytest.mark.parametrize("hc_mm", [110.0, 175.0, 330.0])
def test_the_growth_page_has_both_ages_from_the_head(hc_mm):
    text = page("methods/growth_standards.md")
    days = re.search(r"\\mathrm\{GA\} = (.+?), ```", text)[1]
    weeks = re.search(r"in centimetres, is \$(.+?)\$", text)[1]
    assert formula(days, c=hc_mm) == pytest.approx(intergrowth_age.ga_days_from_hc(hc_mm), rel=1e-9)
    assert formula(weeks, c=hc_mm / 10) == pytest.approx(hadlock.ga_weeks("HC", hc_mm), rel=1e-9)


def test_the_growth_page_has_the_ranges_and_spreads_of_the_code():
    text = page("methods/growth_standards.md")
    ranges = (
        tables.GA_WEEKS_RANGE,
        tables.BRAIN_GA_WEEKS_RANGE,
        intergrowth_weight.EFW_GA_WEEKS_RANGE,
    )
    assert (
        "from {} to {} weeks, that of ventricles, cisterna and fissures from {} to {}, weight for "
        "age from {} to {}.".format(*np.ravel(ranges))
        in text
    )
    smallest, largest = hadlock.HC_TWO_SD[0][1], hadlock.HC_TWO_SD[-1][1]
    assert f"from {smallest:.1f} weeks for the smallest heads to {largest:.1f} for the" in text


def test_the_pages_have_the_band_of_a_femur_and_the_line_between_conventions():
    band = f"along its line, {callipers.BAND_SHARE:g} times as wide as long"
    assert band in page("methods/metrics.md")
    found = re.search(
        r"line \$(\S+) \+ (\S+)\\,\\mathrm\{BPD\}", page("methods/growth_standards.md")
    )
    line = [bpd_convention.INTERCEPT_MM, bpd_convention.SLOPE]
    assert list(map(float, found.groups())) == pytest.approx(line, abs=5e-4)


def default(function, name):
    return inspect.signature(function).parameters[name].default


def test_the_metrics_page_has_the_resamples_of_the_code():
    text = page("methods/metrics.md")
    means = default(intervals.bootstrap_ci, "n_resamples")
    assert means == classification.N_RESAMPLES
    assert text.count(f"| {means:,} |") == 2
    assert f"of ages | {age_scores.N_RESAMPLES:,} | persons |" in text
    assert f"ECE | {anomalies.N_RESAMPLES} | groups within their class |" in text


def test_the_metrics_page_has_the_other_settings_of_the_code():
    text = page("methods/metrics.md")
    assert calibration.N_BINS == 10 and "ten bins of equal width" in text
    assert structures.THRESHOLDS[[0, 1, -1]].round(2).tolist() == [0.5, 0.55, 0.95]
    assert "thresholds 0.50, 0.55 … 0.95" in text


def test_the_page_on_leaks_has_the_limits_of_the_code():
    text = page("methods/data_and_splits.md")
    assert f"hashes of {hashes.N_BITS} bits" in text and f"at most {twins.MAX_BITS} bits" in text
    assert f"other groups {clues.N_CHANCE} times" in text
    assert clues.LINEAR_FROM == 8 and "up to seven numbers, ridge regression from eight" in text
    assert f"$p > {report.ALPHA}$), or the strength is below {report.WEAK}" in text
    assert f"| leak | strength from {report.STRONG}, or" in text


def test_the_pages_say_when_a_cut_head_is_declined():
    assert head_measure.MAX_CUT_SHARE == 0.3
    for name in ("try_it.md", "cards.yml"):
        assert "more than three tenths of its outline" in page(name)
