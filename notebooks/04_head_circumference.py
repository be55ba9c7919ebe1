# %% [markdown]
# # Head circumference with a U-Net
#
# | | |
# |---|---|
# | **Task** | outline the fetal head on ultrasound, fit an ellipse, measure its circumference in millimetres |
# | **Data** | phantoms (default), or HC18: 999 annotated images, CC BY 4.0 {cite}`hc18data` |
# | **Model** | U-Net with 16 filters, 2,164,305 parameters at its published setting (Keras) |
# | **Source** | project 003, a Keras notebook pair; after {cite:t}`ronneberger2015` and {cite:t}`heuvel2018` |
# | **Run time** | a few minutes on two CPU cores (`quick`); no GPU is needed |
# | **Status** | runs whole; reference runs on HC18 under *On real heads* |
#
# A sonographer dates a pregnancy and follows growth by the size of the head.
# The measurement is an ellipse drawn by hand on one picture; the same person
# repeats it within ±3 % (95 % limits, {cite:t}`sarris2012`). This chapter lets a
# network draw it.
#
# **What to take away.** A small network goes a long way; what decides whether
# its result is a *length* is geometry: filled masks, an ellipse carried back to
# the scan as a whole, and the pixel size. The source left out all three.

# %% tags=["parameters"]
profile = "quick"
data = "phantom"
seed = 0
refit = False
out = ""
image_size = 128
base_filters = 16
dropout = 0.1
epochs = 16
half_size_epochs = 32
batch_size = 8
learning_rate = 0.002
loss = "bce"
ema = 0.98
schedule = "cosine"
precision = "auto"
augment = True
flips = "up_down"
n_phantoms = 120
marks = True
test_fraction = 0.2
val_fraction = 0.1
coverage = 0.9
source_epochs = 6
source_trainings = 2
source_half_size = True
vgg_side = 64
vgg_weights = "none"
external_data = ""
save_model = True

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from fetal_lib.baselines import head_size
from fetal_lib.data.audit.cases import audit_cases
from fetal_lib.data.layouts.heads import load_arrays, read_cases
from fetal_lib.data.splits.check import assert_disjoint
from fetal_lib.data.splits.shares import split_by_group
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.models.unet import get_unet
from fetal_lib.plots import agreement, growth, heads, segmentation_checks
from fetal_lib.plots.audit import audit_figure
from fetal_lib.plots.learning import learning_curves
from fetal_lib.readers.image import read_gray
from fetal_lib.training.history import read_history

# %% tags=["hide-input"]
from fetal_book.chapters.head_circumference import data as cases
from fetal_book.chapters.head_circumference import external, fit, report
from fetal_book.chapters.head_circumference import scores as score, source
from fetal_book.chapters.case_scores import interval_of
from fetal_book.chapters.example_cases import typical_and_worst
from fetal_book.chapters.outlines import bright_ellipses
from fetal_book.chapters.tables import plain, ranking
from fetal_book.runs.session import open_run

run = open_run("04_head_circumference", globals())
p = run.parameters

# %% tags=["remove-cell"]
Markdown(run.banner())

# %% [markdown]
# ## The question, and what the source reports
#
# Source 003, one of the five projects that this book rebuilds, resizes HC18 to
# 256 × 256, trains a U-Net for 20 epochs, and shows a final loss of 0.04 and an
# *accuracy* of 0.982. A second notebook then
# regresses millimetres from VGG16 features of the predicted mask: RMSE 40.7 mm,
# R² 0.67. Neither notebook reports an overlap, or a difference of
# circumferences. On HC18's official test part, published methods reach a Dice
# of 0.98 and a mean absolute difference (ADF) of 1.8 to 2.0 mm
# {cite:p}`zeng2021,fiorentino2021,moccia2021`.
#
# We ask: how close does the same small U-Net come, when the masks are filled,
# examinations are kept apart, and millimetres are computed rather than guessed?
#
# ## Data
#
# HC18's layout is one PNG per scan, a second PNG with a one-pixel ellipse, and a
# table of pixel sizes and head circumferences (HC). Phantoms are written in the same
# layout, so one loader reads both. The path table is the start of everything
# ({numref}`tab-04-sizes`, {numref}`tab-04-first-rows`).

# %% mystnb={"table": {"name": "tab-04-sizes", "caption": "Pixel size and head circumference of all images, both in mm."}}
folder = cases.find_data(p)
table = read_cases(folder)
shape = (p.image_size, p.image_size)
arrays = load_arrays(table, shape)
run.data_fingerprint = cases.fingerprint(table, arrays)
table.drop(columns=["image_path", "mask_path"]).describe().round(3)

# %% mystnb={"table": {"name": "tab-04-first-rows", "caption": "First rows of the path table; pixel size and circumference in mm."}}
paths = table[["image_path", "mask_path"]].map(lambda path: path.name)
paths.join(table[["pixel_size_mm", "hc_mm", "examination"]]).head()

# %% [markdown]
# {numref}`fig-04-data` shows scans as they are, with the annotation **filled** and
# outlined in green. HC18 draws a ring one pixel wide; a network trained on the
# ring learns a line that resizing has half erased.

# %% mystnb={"figure": {"name": "fig-04-data", "caption": "Scans over the range of head sizes, smallest first, with the reference outline (green)."}, "image": {"alt": "Eight ultrasound images of fetal heads with the reference outline drawn on the skull."}}
pick = np.argsort(table["hc_mm"].to_numpy())
pick = pick[evenly_spaced(8, len(pick))]
titles = [f"HC {v:.0f} mm" for v in table["hc_mm"].iloc[pick]]
figure = heads.gallery(
    arrays.images[pick],
    arrays.masks[pick],
    titles,
    sizes_hw=arrays.sizes_hw[pick],
)
run.save_figure(
    figure,
    "data",
    "Scans over the range of head sizes, with the reference outline.",
    "Eight ultrasound images of fetal heads with their outline.",
)

# %% [markdown]
# Where grey values of head and surroundings overlap, brightness alone cannot
# separate them. How much of the picture the head covers depends on the zoom: look
# for how far it varies ({numref}`fig-04-histograms`;
# {numref}`tab-04-pixel-statistics`: grey values and masks on a scale of 0 to 1).

# %% mystnb={"figure": {"name": "fig-04-histograms", "caption": "Grey values inside and outside the head, and the share of the image that the head covers."}, "image": {"alt": "Two histograms: grey values inside and outside the head, on a logarithmic axis, and the share of the image that is head."}}
figure = heads.pixel_histograms(arrays.images, arrays.masks)
run.save_figure(
    figure,
    "histograms",
    "Grey values inside and outside the head; share of the image.",
    "Two histograms of grey values and of head area.",
)

# %% mystnb={"table": {"name": "tab-04-pixel-statistics", "caption": "Pixel values from 0 to 1 over all images, after resizing: the images, the filled masks, and the outlines as drawn; quantiles, and the share of pixels that are exactly 0."}}
statistics = cases.pixel_statistics(arrays)
run.save_table(statistics, "pixel_statistics", "Grey values and masks.")
statistics.style.hide().format(precision=3)

# %% [markdown]
# ## Split and leak audit
#
# `010_HC.png` and `010_2HC.png` are frames of one examination. They stay
# together: the split deals out *examinations*, stratified by circumference
# ({numref}`tab-04-parts`). The validation part only calibrates the prediction
# interval; it stops nothing and chooses nothing. The test part is used once.

# %% mystnb={"table": {"name": "tab-04-parts", "caption": "Images, examinations and head circumference (mm) of each part."}}
shares = {"test": p.test_fraction, "val": p.val_fraction}
part = split_by_group(table["examination"], table["hc_mm"], shares, p.seed)
assert_disjoint(table["examination"], part)
table["part"] = part
train, val, test = (part == name for name in ("train", "val", "test"))
run.save_table(table[["image", "examination", "part"]], "split", "The split.")
table.groupby("part").agg(
    images=("image", "size"),
    examinations=("examination", "nunique"),
    mean_hc_mm=("hc_mm", "mean"),
    sd_hc_mm=("hc_mm", "std"),
).round(1)

# %% [markdown]
# The audit asks what could let a model cheat: does an examination stand on two
# sides, do images on two sides look the same, and does something that is *not*
# the picture of the head know the answer: the place in the list, the pixel size,
# the image's size, text or grey in its border? Each clue is scored on held-out
# examinations ({numref}`tab-04-leak-audit`, {numref}`fig-04-audit`). On HC18 three of
# them are strong: the place in the list, for files are ordered by head size, so that
# a split by position is no random split; the pixel size, for the zoom gives away much
# of the head's; and the grey of the border, which a network sees.

# %% mystnb={"table": {"name": "tab-04-leak-audit", "caption": "What could leak: each check, what it found, and the verdict."}}
leaks = audit_cases(
    table,
    "image_path",
    label="hc_mm",
    group="examination",
    part="part",
    metadata=["pixel_size_mm"],
    seed=p.seed,
)
run.save_table(leaks.findings, "leak_audit", "What could leak.")
leaks.findings[["check", "finding", "verdict"]].style.hide()

# %% mystnb={"figure": {"name": "fig-04-audit", "caption": "Strength of each clue to the head circumference, with its verdict. Below, the images on two sides of the split that look most alike, if any do."}, "image": {"alt": "Lines from zero to the strength of each leak check, with verdicts in words."}}
figure = audit_figure(leaks)
run.save_figure(
    figure,
    "audit",
    "Strength of each clue to the head circumference.",
    "Lines from zero to the strength of each leak check.",
)

# %% [markdown]
# ## Baselines: how far one gets without a network
#
# Three predictors set the scale ({numref}`tab-04-baselines`). `mean` always answers
# the training mean. `pixel_size` is a quadratic in the pixel size and never sees the
# picture. `ellipse_fit` looks for the bright skull and fits an ellipse, without
# training; a head that it does not find is left out here, and scored 0 in the overlaps
# below.

# %% mystnb={"table": {"name": "tab-04-baselines", "caption": "Mean absolute difference of head circumference (ADF), test part, without a network."}}
test_table = table[test].reset_index(drop=True)
test_arrays = cases.select(arrays, test)
truth = test_table["hc_mm"].to_numpy()
zoom = head_size.fit_pixel_size_regression(
    table.loc[train, "pixel_size_mm"], table.loc[train, "hc_mm"]
)
guesses = {
    "mean": np.full(len(truth), table.loc[train, "hc_mm"].mean()),
    "pixel_size": zoom.predict(test_table["pixel_size_mm"]),
}
scores = {
    name: score.size_scores(test_table, guess)
    for name, guess in guesses.items()
}
scans = map(read_gray, test_table["image_path"])
found = bright_ellipses(scans, p.seed)
scores["ellipse_fit"] = score.score_ellipses(test_table, test_arrays, found)
simple = {name: s["adf_mm"].mean() for name, s in scores.items()}
pd.Series(simple, name="ADF (mm)").round(1).to_frame()

# %% [markdown]
# ## The model
#
# Nine blocks of two convolutions, each with batch normalisation and ReLU; four
# poolings down, four transposed convolutions up. In the code that source 003
# (and many notebooks with it) uses, the second convolution of each block is fed
# the block's *input*: half of the convolutions are dead. The count shows it, and
# so does the gradient; a test of this project looks at both. {numref}`tab-04-shapes`
# follows the maps down and up.

# %%
published = get_unet(256, 256, 16)
unet = get_unet(*shape, p.base_filters, p.dropout)
shapes = fit.layer_shapes(unet)
run.add_result(
    model="unet", split="all", metric="params", value=unet.count_params()
)
Markdown(
    f"Parameters at the published setting: **{published.count_params():,}** "
    f"(as wired in the source: 1,179,121). In this run: "
    f"**{unet.count_params():,}**."
)

# %% mystnb={"table": {"name": "tab-04-shapes", "caption": "The U-Net of this run: size of its maps, channels, layers and parameters."}}
shapes.style.hide().format(thousands=",")

# %% [markdown]
# ## Training
#
# Adam and binary cross-entropy, as in the source. `quick` goes beyond it: random
# flips, rotations in the scan's own aspect, zoom and gain (`augment`); a learning
# rate that falls along a cosine (`schedule`); a moving average of the weights
# (`ema`); and most epochs on images of half the side, which cost a quarter
# (`half_size_epochs`), so that the curves of {numref}`fig-04-curves` jump where the
# full size begins. A fit is resumed after a crash and reused when nothing it depends
# on has changed.
#
# An earlier state of this chapter fell into a trap: each call of Keras' `fit`
# ends by writing the moving average over the weights. One call an epoch, for the
# sake of a checkpoint, therefore trains the average instead of the network. The
# loop here takes one step a batch, and a test compares the loss with and without
# averaging.

# %% mystnb={"table": {"name": "tab-04-last-epochs", "caption": "Last epochs: loss and pixel accuracy on the training and (val_) the validation part, and the seconds that an epoch took."}}
settings = fit.fit_settings(p, arrays)
outcome = fit.fit_unet(
    run, cases.select(arrays, train), cases.select(arrays, val), settings
)
history = read_history(outcome.folder)
run.add_result(
    model="unet", split="train", metric="train_s", value=outcome.train_s
)
pd.DataFrame(history).set_index("epoch").tail(3).round(4)

# %% mystnb={"figure": {"name": "fig-04-curves", "caption": "Binary cross-entropy of the training and validation part. Training images are altered where augment is set; validation images never are."}, "image": {"alt": "Loss of the training and of the validation part over epochs, on a logarithmic axis."}}
figure = learning_curves({"": [history]}, {"loss": "cross-entropy"}, log=True)
run.save_figure(
    figure,
    "curves",
    "Cross-entropy over epochs.",
    "Loss curves of the training and validation part.",
)

# %% [markdown]
# ## From probabilities to millimetres
#
# With `flips`, the network sees each scan mirrored as well (`quick`: as it is and
# upside down), and its answers are averaged. An ellipse is fitted to the
# half-probability contour. A square input has two axis scales (800 × 540 pixels
# become a square), so the ellipse is carried back to the scan **as a whole**;
# scaling its two axes by one factor would give an error that depends on how the
# head lies, and reaches several per cent. Then
#
# $$
# \mathrm{HC} = \pi (a + b)\left(1 + \frac{3h}{10 + \sqrt{4 - 3h}}\right),
# \qquad h = \left(\frac{a - b}{a + b}\right)^2 ,
# $$
#
# with $a$ and $b$ the semi-axes in millimetres (Ramanujan's second formula).
#
# The interval is split-conformal {cite:p}`lei2018distribution`: on the validation
# part, the quantile of
# $|\mathrm{HC} - \widehat{\mathrm{HC}}| / \widehat{\mathrm{HC}}$
# that promises the chosen coverage for an image of a new examination of the same kind;
# a head that was not found counts as an infinite error. The promise takes its cases as
# independent, which frames of one examination are not: one image of each is drawn.

# %%
model = fit.calibrated_model(
    outcome.folder, p, table[val], cases.select(arrays, val)
)
probs, measured = score.measure_heads(model, test_table, test_arrays)
ellipses = [m.ellipse for m in measured]
scores["unet"] = score.score_ellipses(test_table, test_arrays, ellipses)
declined = [m.reason for m in measured if m.reason]
Markdown(
    f"Interval: ± {model.spec.relative_half_width:.2%} of HC, for a "
    f"coverage of {p.coverage:.0%}. `fetal-lib predict hc` would decline "
    f"to measure {len(declined)} of {len(measured)} test images; their "
    "ellipses, where there is one, are scored all the same."
)

# %% [markdown]
# {numref}`fig-04-predictions` shows cases around the median and the worst ones, not
# the best ones. What is drawn is the contour; the numbers are those of the ellipse
# that is fitted to it.

# %% mystnb={"figure": {"name": "fig-04-predictions", "caption": "Test images: four around the median overlap (upper row) and the four worst (lower row), with Dice and signed difference of HC of the fitted ellipse. Reference green; the network's half-probability contour orange and dashed."}, "image": {"alt": "Eight test images with reference and predicted outline; upper row typical, lower row worst cases."}}
pick = typical_and_worst(scores["unet"]["dice"].to_numpy())
picked = scores["unet"].iloc[pick]
titles = [
    f"Dice {d:.3f}, {e:+.1f} mm" if e == e else "no head found"
    for d, e in zip(picked["dice"], picked["df_mm"], strict=True)
]
figure = heads.gallery(
    test_arrays.images[pick],
    test_arrays.masks[pick],
    titles,
    test_arrays.sizes_hw[pick],
    probs[pick],
)
run.save_figure(
    figure,
    "predictions",
    "Typical and worst test images.",
    "Eight test images with reference and prediction.",
)

# %% [markdown]
# ### Right and wrong heads
#
# The twelve worst test images, then twelve over all the others. *Right* is within
# the ±3 % in which one sonographer repeats a measurement {cite:p}`sarris2012`.
# Reference green, the measured ellipse orange and dashed. On the page they can be
# sorted. Look for what the wrong ones have in common: a skull that leaves the
# picture, a weak far side, a shadow that is followed in its place.

# %% tags=["hide-input"]
scored = scores["unet"].assign(image_path=test_table["image_path"])
caption = "Test images: the worst heads, then some over all the others."
cases_shown = report.tiles(scored, test_arrays.ellipses, ellipses)
run.save_gallery(cases_shown, "heads", caption)

# %% [markdown]
# ## Results on the test part
#
# {numref}`tab-04-flow` counts who was in, from the folder to the numbers.
#
# Overlap is that of the two *filled ellipses* at the scan's own size, as HC18
# scores it, and 0 where no head is found; DF, ADF and HD, the largest distance
# between the two outlines, are over the heads that were measured. Intervals are
# 95 % bootstrap intervals over examinations. {numref}`tab-04-results` has all
# measures, {numref}`fig-04-comparison` sets the differences side by side, and
# {numref}`fig-04-agreement` shows each head: look for a slope, and for outliers. Its
# limits of agreement {cite:p}`bland1986agreement` count each image as independent.

# %% mystnb={"table": {"name": "tab-04-flow", "caption": "Who was in: images and examinations at each step."}} tags=["hide-input"]
steps = report.flow(table, scores["unet"], len(declined))
run.save_table(steps, "flow", "Who was in, at each step.")
steps.style.hide().format(na_rep="")

# %% mystnb={"table": {"name": "tab-04-results", "caption": "Test part, all models, with 95 % intervals over examinations; n: images; measured: those in which a head was found; DF is measured minus reference."}}
for name, frame in scores.items():
    score.add_scores(run, name, frame)
results = report.results_table(run.rows)
run.save_table(results, "results", "Test part, all models.")
single = pd.concat(scores, names=["model"]).reset_index("model")
single = single.reset_index(drop=True)
run.save_table(single, "predictions", "Every test image, all models.")
report.pretty(results)

# %% mystnb={"figure": {"name": "fig-04-comparison", "caption": "Mean absolute difference of head circumference (ADF) for each predictor, with 95 % intervals; logarithmic axis."}, "image": {"alt": "Mean absolute difference of the baselines and the U-Net with intervals."}}
ranked = ranking(run.rows, "adf_mm")
figure = agreement.model_comparison(ranked, "ADF (mm), log scale", log=True)
run.save_figure(
    figure,
    "comparison",
    "ADF of each predictor.",
    "ADF of the baselines and the U-Net with intervals.",
)

# %% mystnb={"figure": {"name": "fig-04-agreement", "caption": "Measured against reference HC, and the Bland-Altman plot with 95 % limits of agreement."}, "image": {"alt": "Scatter plot of measured against reference circumference and Bland-Altman plot."}}
kept = report.found_heads(scores["unet"])
hc_true, hc_pred = kept["hc_mm"].to_numpy(), kept["hc_pred_mm"].to_numpy()
figure = agreement.agreement_figure(hc_true, hc_pred)
run.save_figure(
    figure,
    "agreement",
    "Agreement of measured and reference HC.",
    "Scatter plot and Bland-Altman plot of head circumference.",
)

# %% [markdown]
# ### By trimester, and in days
#
# Gestational age follows from HC by a named standard. INTERGROWTH-21st
# {cite:p}`papageorghiou2014growth` and Hadlock {cite:p}`hadlock1984age` disagree by
# several millimetres in mid-pregnancy, so a result without the name of its standard
# means little. Both are defined on a range of sizes; heads outside it are left out of
# the days. Trimesters are those of the reference HC, not of a known age. The age error
# in {numref}`tab-04-by-trimester` is the part that the *measurement* causes; that heads
# of one age differ is another matter: by a sonographer's HC, ages scatter around those
# of an early scan by ±11 days (SD) in the third trimester {cite:p}`heuvel2018`. The
# rows count images, and some have few. {numref}`fig-04-trimester` has the single errors.

# %% mystnb={"table": {"name": "tab-04-by-trimester", "caption": "Errors by trimester (Hadlock age of the reference HC): signed (DF) and absolute (ADF) difference with the ends of its 95 % interval over examinations, and the mean absolute error of the age, in days, by two standards; n images."}}
by_age = report.by_trimester(kept, p.seed)
run.save_table(by_age, "by_trimester", "Errors by trimester.")
by_age.style.hide().format(precision=2, na_rep="")

# %% tags=["remove-input"]
Markdown(report.third_trimester_text(by_age))

# %% mystnb={"figure": {"name": "fig-04-trimester", "caption": "Signed difference of head circumference by trimester (Hadlock age of the reference HC)."}, "image": {"alt": "Box plots of the signed difference of head circumference by trimester."}}
figure = agreement.error_by_group(
    report.errors_by_trimester(kept), "measured - reference (mm)"
)
figure.axes[0].axhline(0, color="0.4", lw=0.8)
run.save_figure(
    figure,
    "trimester",
    "Signed HC difference by trimester.",
    "Box plots of the HC difference by trimester.",
)

# %% [markdown]
# A centile needs an age that is known from elsewhere (the last period, or an
# early scan). HC18 does not publish one; phantoms have one. {numref}`fig-04-growth`
# shows the measured heads where the age is known, and the standards in any case.

# %% mystnb={"figure": {"name": "fig-04-growth", "caption": "Measured heads of the test part on the INTERGROWTH-21st chart; dashed: Hadlock's median."}, "image": {"alt": "Growth chart of head circumference against gestational age."}}
ages = cases.known_ages(folder, scores["unet"])
figure = growth.head_growth_chart(
    ages["ga_weeks"], ages["hc_pred_mm"], "measured, test part"
)
run.save_figure(
    figure,
    "growth",
    "Measured heads on the growth chart.",
    "Growth chart of head circumference.",
)

# %% [markdown]
# ### Does the interval hold what it promises?
#
# {numref}`fig-04-interval` sets each reference beside its interval.

# %% mystnb={"figure": {"name": "fig-04-interval", "caption": "Prediction intervals of the test images, centred on the measurement, and where the reference lies."}, "image": {"alt": "Prediction interval of each test image with the reference inside or outside."}}
half = model.spec.relative_half_width * hc_pred
low, high = hc_pred - half, hc_pred + half
inside = (low <= hc_true) & (hc_true <= high)
covered = inside.mean()
run.add_result(
    model="unet",
    split="test",
    metric="coverage",
    value=covered,
    n=len(hc_true),
    ci95=interval_of(inside, kept["examination"], p.seed),
)
labels = "test images, smallest head first", "reference - measured (mm)"
figure = agreement.interval_figure(hc_true, low, high, *labels, hc_pred)
run.save_figure(
    figure,
    "interval",
    "Prediction intervals on the test part.",
    "Prediction interval and reference of each test image.",
)

# %% tags=["remove-input"]
width = model.spec.relative_half_width
n_val = table.loc[val, "examination"].nunique()
Markdown(report.coverage_text(p.coverage, width, n_val, covered, len(hc_true)))

# %% [markdown]
# ## What does the network look at?
#
# A square of the image is hidden behind the image's mean grey, and the head measured
# again, by one view: the map shows by how many millimetres the answer moves
# ({numref}`fig-04-occlusion`). The images are evenly spaced over the test part, not
# chosen by result. Two checks come with them ({numref}`tab-04-occlusion-checks`). The
# map of the *same network with random weights* must look different
# {cite:p}`adebayo2018`, or the map would explain the image and not the network. And if
# the network measures the skull, the map lies on the skull more than the area of a band
# along it would give.

# %% mystnb={"table": {"name": "tab-04-occlusion-checks", "caption": "Checks of the occlusion maps, one row per test image; the skull band reaches as far to either side of the reference outline as half a hidden square."}}
maps, checks = report.occlusion_checks(model, test_table, test_arrays)
run.save_table(checks, "occlusion_checks", "Checks of the occlusion maps.")
checks.style.hide().format(precision=2)

# %% mystnb={"figure": {"name": "fig-04-occlusion", "caption": "Occlusion maps of three test images: change of HC in mm when a place is hidden; every map with its own scale."}, "image": {"alt": "Three ultrasound images above their occlusion heat-maps."}}
shown = checks["test image"].to_numpy() - 1
figure = segmentation_checks.map_grid(
    test_arrays.images[shown],
    test_arrays.masks[shown],
    {"change of HC (mm)": maps},
    [f"test image {i + 1}" for i in shown],
    test_arrays.sizes_hw[shown],
)
run.save_figure(
    figure,
    "occlusion",
    "Occlusion maps.",
    "Three ultrasound images above their occlusion maps.",
)

# %% tags=["remove-input"]
Markdown(report.occlusion_verdict(checks))

# %% [markdown]
# ## What the source's own protocol would have reported
#
# Same data, same network, the source's way: the outline is **not** filled; image
# and mask are divided by 127.5, so that targets reach 2 where the network
# reaches 1; every image is joined by its mirror image **before** a random split
# over images; the score is Keras' binary accuracy, epoch by epoch in
# {numref}`tab-04-source-epochs`. (`quick` does it on images of half the side,
# `full` at the source's size.) The split is the source's; the training is repeated
# from `source_trainings` seeds, and intervals hold their luck.
# {numref}`tab-04-source-protocol` sets the accuracy beside that of a network that
# finds nothing at all (`empty_mask`).

# %% mystnb={"table": {"name": "tab-04-source-epochs", "caption": "The source's protocol: loss and pixel accuracy of each epoch of the first training, on its training and (val_) its validation part, and seconds."}}
examinations = table["examination"].to_numpy()
protocol = source.reenact_source(run, p, arrays, examinations)
pd.DataFrame(protocol.history).set_index("epoch").round(4)

# %% mystnb={"table": {"name": "tab-04-source-protocol", "caption": "Pixel accuracy by the source's protocol, of the trained networks and of finding nothing, with 95 % intervals over examinations and trainings."}}
reported = source.add_accuracies(run, protocol)
run.save_table(reported, "source_protocol", "The source's accuracy.")
reported

# %% tags=["remove-input"]
leaked, rings = protocol.leaked_share, protocol.ring_dice
network, nothing = reported["accuracy"]
Markdown(
    f"Over {len(rings)} trainings of {p.source_epochs} epochs the protocol "
    f"reports an accuracy of **{network}**. A network that finds nothing at "
    f"all gets **{nothing}**, the share of pixels that are exactly zero: read "
    f"the two together. Of the validation images, {leaked:.0%} have their "
    "mirror image in the training part. The *Dice* of what the networks find "
    f"with the pixels of the ring is {min(rings):.3f} to {max(rings):.3f}. "
    "The accuracy shows none of this."
)

# %% [markdown]
# ### Millimetres from a mask that has lost its pixel size
#
# The second notebook of the source feeds predicted masks to VGG16 and regresses
# millimetres from the features. A mask squashed to a square has no scale: two
# heads of 100 and 300 mm can leave the same mask. In
# {numref}`tab-04-second-experiment`, the same features predict HC without the
# pixel size (`vgg16_mask`) and with it (regress pixels, then multiply:
# `vgg16_mask_pixel_size`), beside the geometry of the U-Net's ellipse (`unet`),
# which learns nothing at this step. The source has weights of ImageNet on masks of
# 256 pixels. Here VGG16 has the weights that `vgg_weights` names, on masks of
# `vgg_side` pixels: unless it says otherwise they are **random**, an untrained
# network, drawn `source_trainings` times. So compare the two rows with each other;
# the source's 40.7 mm is a root mean squared error (RMSE), a larger number than the
# mean absolute one (MAE) of the same errors.

# %% mystnb={"table": {"name": "tab-04-second-experiment", "caption": "Millimetres from a mask, test part, with 95 % intervals over examinations and networks: features of VGG16 without and with the pixel size, and the U-Net's ellipse."}}
features = source.vgg_features(run, p, model, arrays)
second = source.millimetres_from_features(features, table, train, test)
second["unet"] = scores["unet"]["hc_pred_mm"].to_numpy()
experiment = source.second_experiment(run, test_table, second)
run.save_table(experiment, "second_experiment", "Millimetres from a mask.")
experiment.style.hide()

# %% [markdown]
# ## On real heads
#
# Reference runs of this chapter on real data are kept with the project: their
# records, results and figures, and what hardware made them. One trains on HC18 and
# tests on held-out examinations of it; the other trains on **phantoms alone** and
# meets real heads for the first time at the test (`external`). The table of the split
# names a run's images, which may be a part of HC18's. The test part of HC18 is taken
# from its annotated images, not from the challenge's own test set, whose outlines are
# withheld: compare with published methods at a distance. `coverage` is the share of
# heads inside an interval that promises 90 %: it was calibrated on heads like those
# of the training, and need not hold on others. The second table has the errors by trimester: read
# the third.

# %% mystnb={"table": {"name": "tab-04-real", "caption": "Reference runs on real heads, with 95 % intervals over examinations; n images."}} tags=["hide-input"]
if p.external_data:
    elsewhere = external.score_external(run, p, model)
    caption = "Heads of another source: the worst, then some of the rest."
    display(run.save_gallery(elsewhere, "external", caption))
kept_runs = external.published_table()
plain(kept_runs).fillna("").style.hide()

# %% mystnb={"table": {"name": "tab-04-real-trimesters", "caption": "Reference runs that learnt from real heads: errors by trimester (Hadlock age of the reference HC), over n images."}} tags=["hide-input"]
by_age = external.published_trimesters()
shown = by_age.style.hide().format(precision=2, na_rep="")
shown if len(by_age) else Markdown("No reference run is kept yet.")

# %% [markdown]
# ## Saving the model
#
# The model that is saved is the model that was scored. `fetal-lib predict hc`
# applies it to a folder of scans.
#
# :::{warning}
# Its interval was calibrated on heads like those of its training and need not hold for
# another hospital's scans, pixel sizes or calliper habits. It dates no pregnancy.
# :::

# %%
if p.save_model:
    card = fit.card_of(run, model, declined)
    model.save(run.folder / "model", card)
run.finish()

# %% [markdown]
# ## Limits and intended use
#
# - **Not for clinical use.** Research and teaching only.
# - HC18 comes from one hospital and one maker's machines; how its network fares
#   elsewhere stands on the page [](../external.md). It holds standard planes that a
#   sonographer chose: the network does not know whether a plane is right for
#   measuring.
# - HC18's file numbers are examinations, not women (806 numbers, 551 women
#   {cite:p}`hc18data`), so a woman may stand on both sides of the split; the release
#   does not say.
# - The annotation is one person's ellipse, which that person would repeat within
#   ±3 % {cite:p}`sarris2012`; no single measurement can be judged more finely.
# - In the third trimester biology, not segmentation, limits dating from size.
# - Phantoms have the geometry and the speckle of a scan, not its pathology.
#
# ## Key points
#
# 1. Fill the outline before resizing, carry the ellipse back as a whole, then
#    multiply by the pixel size: HC is geometry.
# 2. Accuracy of a thin ring measures the empty background.
# 3. On phantoms and on HC18 the pixel size alone predicts HC better than the mean
#    does; any regressor must be shown against it.
# 4. A mirrored copy is not a new patient.
#
# ## Parameters to try
#
# | change | what to expect |
# |---|---|
# | `data=PATH` | the chapter on a folder in HC18's layout |
# | `base_filters=8` | about a quarter of the parameters |
# | `flips=none` | one look at each scan instead of two, and perhaps more outliers |
# | `augment=false` | how much the augmentation is worth on few images |
# | `image_size=256` | the source's size; four times the work |
# | `external_data=PATH` | a network meets heads of another set: a phantom-trained one real heads, one of HC18's rings the callipers of `fetal_biometry_fp` |
# | `profile=full` | the source's recipe at its published size |
#
# ## How to cite
#
# Cite this compendium (`CITATION.cff`), the data {cite:p}`hc18data,heuvel2018`
# and the network {cite:p}`ronneberger2015`.
