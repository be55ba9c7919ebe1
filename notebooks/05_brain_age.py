# %% [markdown]
# # Brain age from T1 MRI
#
# | | |
# |---|---|
# | **Task** | predict the age of an adult from a T1 scan, by tissue volumes and by the image |
# | **Data** | phantoms (default), OASIS-1 {cite}`marcus2007`, or any folder in BIDS (Brain Imaging Data Structure) with ages |
# | **Models** | 3D ResUNet, 24,322,148 parameters; 3D ResNeXt-50, 25,870,465; SFCN, a simple fully convolutional network (PyTorch); regressors on volumes and maps |
# | **Source** | project 004, a PyTorch notebook; after {cite:t}`cicek2016` and {cite:t}`xie2017` |
# | **Run time** | minutes on two CPU cores (`quick`), narrow networks on small volumes |
# | **Status** | runs whole on phantoms and on OASIS-1 |
#
# With the years the brain loses tissue and gains fluid. How well age can be
# predicted from a scan, and what the difference between predicted and true age
# may mean, is the subject of a large literature
# {cite:p}`franke2010,cole2017,peng2021`.
#
# **What to take away.** Three numbers (how much of the head is fluid, gray and white
# matter) are the rival that a network must be shown against: those that went further
# learnt from many thousands of scans {cite:p}`peng2021`. And the *gap* between predicted
# and true age is, before anything else, regression to the mean.

# %% tags=["parameters"]
profile = "quick"
data = "phantom"
seed = 0
refit = False
out = ""
n_phantoms = 45
n_teachers = 12
n_segmentation = 8
n_folds = 5
n_inner = 4
segmentation_spacing_mm = 2.0
segmentation_side = 96
segmentation_width = 8
segmentation_intensity = "white"
pooling = "readme"
segmentation_crop = 32
segmentation_epochs = 40
segmentation_batch = 2
segmentation_rate = 0.015
age_spacing_mm = 6.0
age_side = 32
age_networks = True
resnext_width = 16
resnext_cardinality = 8
resnext_blocks = "1111"
resnext_epochs = 12
resnext_rate = 0.001
sfcn_width = 8
sfcn_epochs = 18
sfcn_rate = 0.003
age_batch = 8
schedule = "cosine"
coverage = 0.9
occluded = 4
uneven_scans = 4
source_epochs = 8
source_trainings = 1
external_data = ""
save_model = True

# %% tags=["hide-input"]
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads wait asleep

import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from fetal_lib.baselines.age_regression import volume_regressors
from fetal_lib.data.layouts.adult_mri import read_cases
from fetal_lib.data.layouts.adult_scan import read_scan
from fetal_lib.data.splits.check import assert_disjoint
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.plots import agreement, brain_age
from fetal_lib.plots import volumes as views
from fetal_lib.plots.classification import roc_grid
from fetal_lib.plots.learning import learning_curves

# %% tags=["hide-input"]
from fetal_book.chapters.age_tiles import age_tiles
from fetal_book.chapters.brain_age import data as brain_data
from fetal_book.chapters.brain_age import explain, impaired, models
from fetal_book.chapters.brain_age import report, resampled, save
from fetal_book.chapters.brain_age import segmenter, source
from fetal_book.chapters.brain_age import uneven, volumes
from fetal_book.chapters.brain_age.scores import by_decade
from fetal_book.chapters.brain_age.tissues import segment_all
from fetal_book.chapters.brain_age.lessons import find_truth
from fetal_book.chapters.brain_age.walk import axial_slice
from fetal_book.chapters.brain_age.walk import preprocessing_steps
from fetal_book.chapters.tables import plain, pretty, ranking, results_table
from fetal_book.runs.published import reference_table
from fetal_book.runs.session import open_run

run = open_run("05_brain_age", globals())
p = run.parameters

# %% tags=["remove-cell"]
Markdown(run.banner())

# %% [markdown]
# ## The question, and what the source reports
#
# Source 004 works on 652 healthy adults of Cam-CAN {cite}`taylor2017`. Its first
# approach segments the brain with a 3D ResUNet and regresses age from the
# relative volumes of cerebrospinal fluid (CSF), gray and white matter: the source
# reports a mean absolute error (MAE) of 6.90 y and R² 0.81 on 100 test subjects.
# Its second approach feeds the image to a 3D ResNeXt: MAE 7.09 y. Three hand-made
# numbers do as well as a network of 26 million parameters, which the source does not
# remark on.
#
# We ask: does that hold when each subject is tested by a model that was neither
# fitted nor chosen on that subject, and what does a brain-age gap then mean?
#
# ## Data
#
# A BIDS folder: a table of ages ({numref}`tab-05-subjects`, {numref}`fig-05-subjects`),
# and a T1-weighted scan of each subject, skull-stripped and registered to MNI space.
# Phantoms are written in the same layout: template anatomy {cite}`fonov2011` warped to
# the volumes published for each age {cite}`bethlehem2022`, with labels that are true by
# construction.

# %% mystnb={"table": {"name": "tab-05-subjects", "caption": "Age (years), estimated total intracranial volume (eTIV, mL: the size of the head) and normalised whole-brain volume (nWBV: the brain's share of it) of all subjects; std is the SD."}}
folder = brain_data.find_data(p)
run.fingerprint_folder(folder)
cases = read_cases(folder)
everyone = cases.rows
columns = ["subject", "age_years", "sex", "etiv_ml", "nwbv"]
everyone[columns].describe().round(2)

# %% mystnb={"figure": {"name": "fig-05-subjects", "caption": "Ages of the subjects, stacked by sex."}, "image": {"alt": "Histogram of ages in steps of five years, stacked by sex, and a bar chart of how many there are of each sex."}}
ages = everyone["age_years"].to_numpy()
figure = brain_age.age_sex_histograms(ages, everyone["sex"].to_numpy())
run.save_figure(
    figure,
    "subjects",
    "Ages of the subjects, by sex.",
    "Histogram of ages stacked by sex; numbers of women and men.",
)

# %% [markdown]
# {numref}`fig-05-scans` has the scans of the youngest and the oldest subject and of two
# between, in three planes. Look at the width of the ventricles and of the sulci.

# %% mystnb={"figure": {"name": "fig-05-scans", "caption": "Four scans over the range of ages: axial, coronal and sagittal planes."}, "image": {"alt": "T1 scans of four adults in three planes, from the youngest on the left to the oldest on the right."}}
order = np.argsort(ages, kind="stable")
pick = order[evenly_spaced(4, len(order))]
shown = {}
for i in pick:
    scan = read_scan(everyone["subject"][i], everyone["path"][i])
    again = f" ({len(shown) + 1})" if f"{ages[i]:.0f} years" in shown else ""
    shown[f"{ages[i]:.0f} years{again}"] = scan.volume.data
figure = views.orthogonal_views(shown)
run.save_figure(
    figure,
    "scans",
    "Four scans over the range of ages.",
    "T1 scans of four adults in three planes.",
)

# %% [markdown]
# ## Preprocessing, step by step
#
# {numref}`fig-05-steps` and {numref}`tab-05-preprocessing` follow one scan on its way to
# a network, with SimpleITK {cite}`lowekamp2013`: the bias field is found by N4
# {cite}`tustison2010` and divided out; the brain mask is where the stripped scan is
# positive and near the template's brain; intensities get mean 0 and variance 1 **inside
# the mask**, and 0 outside; a cubic B-spline brings the image to 3 mm and 64³ voxels
# about its centre (the source's setting), or 1.5 mm and 128³ (defined there and never
# used). Labels go by nearest neighbour ({numref}`fig-05-neighbours`): there is nothing
# between gray matter and fluid but error.

# %% mystnb={"figure": {"name": "fig-05-steps", "caption": "A scan through bias-field correction, masking, normalisation and resampling; each column on its own grey scale."}, "image": {"alt": "Seven columns of three planes: scan, bias field, corrected scan, mask, normalised scan, two resampled scans."}}
walk = preprocessing_steps(everyone.loc[pick[1]], ((3.0, 64), (1.5, 128)))
figure = views.orthogonal_views(walk.steps, limits=walk.limits)
run.save_figure(
    figure,
    "steps",
    "A scan through the preprocessing.",
    "A scan before and after each step, in three planes.",
)

# %% mystnb={"table": {"name": "tab-05-preprocessing", "caption": "One scan after each step of the preprocessing: grid, voxel side and intensities."}}
run.save_table(walk.table, "preprocessing", "A scan after each step.")
pretty(walk.table)

# %% tags=["remove-input"]
variation = walk.white_variation
Markdown(
    "White matter should be of one brightness. Its coefficient of variation "
    f"is {variation['as read']:.1%} as read, {variation['after N4']:.1%} "
    f"after N4, and {variation['after the mixture']:.1%} after the polynomial "
    "that the mixture model below fits along with the tissues (correlation "
    f"of the two log fields: {walk.bias_agreement:.2f}). What is white matter "
    "is the mixture's opinion, which favours its own polynomial, and this is "
    "one scan. The chapter uses the polynomial, which comes for free with the "
    "segmentation."
)

# %% mystnb={"figure": {"name": "fig-05-neighbours", "caption": "The same labels at 3 mm and at 1.5 mm, by nearest neighbour: CSF blue, gray matter orange, white matter green."}, "image": {"alt": "Tissue labels in colour over the scan in three planes, at a voxel size of 3 mm and of 1.5 mm; the edges are coarser at 3 mm."}}
grids = {name: walk.steps[name] for name in walk.labels}
figure = views.orthogonal_views(grids, walk.labels, shift=0.06)
run.save_figure(
    figure,
    "neighbours",
    "Labels at 3 mm and 1.5 mm.",
    "Tissue labels over the scan at two voxel sizes.",
)

# %% [markdown]
# ## A quality check, and reference tissues
#
# Every scan is compared with the template's brain before it is used: a piece
# that is missing, tissue that is no brain, a head of another size or place. Scans
# that fail are listed here with the reason, and left out of all that follows.
#
# Most data sets have no tissue labels. A **reference** is then made without
# learning, from the parts that FAST has {cite}`zhang2001`: three Gaussians and
# voxels of two tissues, the ICBM152 tissue priors, a polynomial for uneven
# brightness, and a Markov random field. It is a reference and not the truth.

# %%
made = segment_all(run, everyone, resampled=True)
bad = (made.table["reasons"] != "").to_numpy()
listed = everyone.loc[bad, ["subject", "age_years"]].assign(
    reason=made.table.loc[bad, "reasons"].to_numpy()
)
run.save_table(listed, "left_out", "Scans that failed the quality check.")
tissues = made.select(~bad)
table = everyone[~bad].reset_index(drop=True)
age = table["age_years"].to_numpy(float)
if bad.any():
    display(pretty(listed))

# %% tags=["remove-input"]
Markdown(
    f"{int(bad.sum())} of {len(bad)} scans failed, "
    f"{len(cases.notes)} more had no age or no scan. {len(table)} are used."
)

# %% [markdown]
# How good is the reference? Phantoms have a truth. {numref}`tab-05-reference` scores the
# mixture on phantoms that are made for this purpose, whatever the data of the run are;
# they teach a network below. {numref}`fig-05-volumes` has the volumes that it gives,
# against age.

# %% mystnb={"table": {"name": "tab-05-reference", "caption": "Dice of the mixture against the true labels of phantoms, mean with its 95 % interval."}}
truth = find_truth(run)
agreed = report.add_reference_dice(run, truth)
run.save_table(agreed, "reference", "The reference against the truth.")
pretty(agreed)

# %% mystnb={"figure": {"name": "fig-05-volumes", "caption": "Tissue volumes by the mixture, in mL of the person's own head, and their shares, against age."}, "image": {"alt": "Two scatter plots against age, of the volumes of CSF, gray and white matter and of their shares."}}
parts_ml = tissues.volumes_ml
etiv_ml = table["etiv_ml"].to_numpy(float)
absolute = volumes.absolute_volumes(parts_ml, etiv_ml)
names = ("csf", "gray", "white")
ml = dict(zip(names, absolute.T, strict=True))
share = dict(
    zip(names, (parts_ml / parts_ml.sum(axis=1, keepdims=True)).T, strict=True)
)
figure = brain_age.volumes_by_age(age, ml, share)
run.save_figure(
    figure,
    "volumes",
    "Tissue volumes and shares against age.",
    "Scatter plots of tissue volumes against age.",
)

# %% [markdown]
# ## Split and leak audit
#
# Some subjects, evenly over the ages, **teach segmentation**: their reference
# labels train a network below, their ages train regressors, and they are never
# tested. All others are dealt to outer folds, stratified by age
# ({numref}`tab-05-parts`). Whatever is chosen (a penalty, a kernel, a weight) is chosen
# on inner folds of the training part. What could leak is in {numref}`tab-05-leak-audit`:
# no subject should stand in two parts, no two scans in two parts should be alike once
# the mean scan is taken off, and neither the order of the list nor sex nor head size
# should know the age.

# %% mystnb={"table": {"name": "tab-05-parts", "caption": "Who teaches segmentation, and who is tested in which outer fold; ages in years."}}
parts = brain_data.split_subjects(table, p)
assert_disjoint(table["subject"], parts.fold)
written = table[["subject", "age_years"]].assign(fold=parts.fold)
run.save_table(written, "split", "Fold of each subject; -1 teaches.")
pretty(brain_data.describe_subjects(table, parts.fold))

# %% [markdown]
# {numref}`tab-05-flow` counts who came so far, and why the others did not.

# %% mystnb={"table": {"name": "tab-05-flow", "caption": "Who is in this run and who is not, in scans."}}
reasons = made.table["reasons"].tolist()
flow = report.flow_table(reasons, cases.notes, parts)
run.save_table(flow, "flow", "Who is in, who is out, and why.")
pretty(flow)

# %%
flat = tissues.images.reshape(len(table), -1).astype(np.float32)
leaks = brain_data.leak_audit(table, parts, flat)
run.save_table(leaks, "leak_audit", "What could leak.")
leaks.style.hide().format({"finding": "{:.3g}"})

# %% [markdown]
# ## Baselines
#
# *mean* predicts the mean age of the training part. *nwbv* is a quadratic in the
# normalised whole-brain volume, the brain's share of the head, as the data set's
# own table gives it, where it does: one number, no image. Of a phantom it is the true
# one, free of the error that every segmentation of the image has. Errors are in
# {numref}`tab-05-baselines`: the mean absolute error (MAE), the root mean squared error
# (RMSE), R² and Lin's concordance correlation coefficient (CCC)
# {cite}`lin1989concordance`, with 95 % bootstrap intervals over subjects.

# %% mystnb={"table": {"name": "tab-05-baselines", "caption": "Baselines on the outer folds, with 95 % intervals over subjects."}}
predictions = {}
mean = np.full(len(age), np.nan)
for fold in parts.folds:
    mean[fold.test] = age[fold.train].mean()
report.add_ages(run, age, parts, "mean", mean)
nwbv = table["nwbv"].to_numpy(float)
if np.isfinite(nwbv).all():
    guess = np.full(len(age), np.nan)
    for fold in parts.folds:
        curve = np.polyfit(nwbv[fold.train], age[fold.train], 2)
        guess[fold.test] = np.polyval(curve, nwbv[fold.test])
    report.add_ages(run, age, parts, "nwbv", guess)
metrics = ("mae_years", "rmse_years", "r2", "ccc")
pretty(plain(results_table(run.rows, metrics)))

# %% [markdown]
# ## The networks
#
# The ResUNet adds a 1 × 1 × 1 projection of each block's input **after** the
# block's last ReLU. The source's README describes 2 × 2 × 2 poolings, its code pools
# 1 × 2 × 2, so that one axis is never reduced; both are here. The ResNeXt's
# stem likewise keeps that axis. Counts in {numref}`tab-05-networks` are those of the
# published settings.

# %% mystnb={"table": {"name": "tab-05-networks", "caption": "Networks at their published settings: parameters, and what comes out of 64³ voxels."}}
counts = models.parameter_table()
run.save_table(counts, "networks", "Networks at their published settings.")
counts.style.hide(axis="index").format(thousands=",")

# %% [markdown]
# ## Approach A: segment, then regress
#
# Two ResUNets of the same size learn by cross-entropy with Adam: one from
# **phantoms with true labels** that are made for this purpose, one from
# **reference labels** of the subjects set aside ({numref}`fig-05-learning`). The second
# learns to imitate the mixture, errors included.
#
# In `full` they are fed z-scores, as the source's is. In `quick` intensities are
# scaled to white matter instead: a z-score depends on how much fluid there is,
# which is what age changes, and a network that sees small cubes cannot know it.
# {numref}`tab-05-dice` gives Dice as mean ± SD over scans, and the 95 % interval of the
# mean, {numref}`fig-05-dice` each scan, and {numref}`fig-05-tissues` three of them in
# colour.

# %% mystnb={"table": {"name": "tab-05-dice", "caption": "Dice on scans that taught nothing, against the truth (of phantoms) and against the reference: mean ± SD over scans, and the 95 % interval of the mean."}}
fits = models.fit_segmenters(run, truth, table, tissues, parts)
tested = np.flatnonzero(parts.tested)
by_age = tested[np.argsort(age[tested], kind="stable")]
show = by_age[evenly_spaced(3, len(by_age))]
segmented = segmenter.apply_segmenters(run, fits, table, tissues, parts, show)
dice = report.add_dice(run, segmented.dice, parts)
run.save_table(dice, "dice", "Dice on scans that taught nothing.")
pretty(dice)

# %% mystnb={"figure": {"name": "fig-05-learning", "caption": "Cross-entropy of the two ResUNets on their training part over epochs; nothing is chosen by it."}, "image": {"alt": "Curves of cross-entropy over epochs, a panel for each of the two networks."}}
from fetal_lib.training.history import read_history

histories = {
    name.replace("res_unet_", "taught by "): [read_history(fit.folder)]
    for name, (_, fit) in fits.items()
}
figure = learning_curves(histories, {"loss": "cross-entropy"})
run.save_figure(
    figure,
    "learning",
    "Cross-entropy of the segmenters.",
    "Cross-entropy of two networks over epochs.",
)

# %% mystnb={"figure": {"name": "fig-05-dice", "caption": "Dice of each tissue on held-out scans."}, "image": {"alt": "Box plots of Dice for CSF, gray and white matter, a panel for each network and kind of labels."}}
figure = brain_age.dice_boxes(report.dice_groups(segmented, parts.fold))
run.save_figure(
    figure,
    "dice",
    "Dice of each tissue on held-out scans.",
    "Box plots of Dice by tissue and network.",
)

# %% mystnb={"figure": {"name": "fig-05-tissues", "caption": "Held-out scans, youngest to oldest, with each segmentation in colour: truth (of phantoms), reference by the mixture, and the two networks."}, "image": {"alt": "Axial slices of three scans with tissue labels of each method in colour."}}
some = [segmented.shown[int(i)] for i in show]
scans = [s["input"].astype(float) for s in some]
kinds = {k: [s[k] for s in some] for k in some[0] if k != "input"}
kinds = {k.replace("res_unet_", "taught by "): v for k, v in kinds.items()}
titles = [f"{age[i]:.0f} years" for i in show]
figure = views.tissue_gallery(scans, kinds, titles)
run.save_figure(
    figure,
    "tissues",
    "Held-out scans with each segmentation.",
    "Slices of three scans with tissue labels in colour.",
)

# %% [markdown]
# ### Age from volumes
#
# `volumes` are the mixture's relative volumes, the shares of gray and white
# matter. They meet the source's three regressors (linear, Bayesian ridge, a cubic
# polynomial) and three more (ridge, Gaussian process, gradient boosting).
# `volumes_absolute` are millilitres, `volumes_covariates` adds sex and head size,
# `volumes_contrast` how bright gray matter and fluid are beside white matter, once a
# gamma curve has been taken off.
# `res_unet` are relative volumes by the network that was taught by truth. Their errors
# are in {numref}`tab-05-volume-models`; {numref}`fig-05-regressors` shows how the six
# regressors err on `volumes`.

# %% mystnb={"table": {"name": "tab-05-volume-models", "caption": "Mean absolute error on the outer folds, with 95 % intervals over subjects: baselines and regressors on volumes."}}
relative = volumes.relative_volumes(parts_ml)
sets = {
    "volumes": relative,
    "volumes_absolute": absolute,
    "volumes_covariates": np.column_stack(
        [relative, volumes.covariates(table)]
    ),
    "volumes_contrast": models.contrast_features(tissues),
    "res_unet": volumes.relative_volumes(segmented.volumes["res_unet_truth"]),
}
predictions |= models.volume_models(run, age, sets, parts)
for name, found in predictions.items():
    report.add_ages(run, age, parts, name, found.outer)
pretty(plain(results_table(run.rows, metrics[:1])))

# %% mystnb={"figure": {"name": "fig-05-regressors", "caption": "Predicted against true age on the outer folds: six regressors on two tissue shares. A red triangle at the edge is a prediction beyond it."}, "image": {"alt": "Six scatter plots of predicted against true age."}}
kept = parts.tested
six = {k: predictions[f"volumes_{k}"].outer[kept] for k in volume_regressors()}
figure = brain_age.predicted_against_true(age[kept], six)
run.save_figure(
    figure,
    "regressors",
    "Predicted against true age, six regressors on volumes.",
    "Six scatter plots of predicted against true age.",
)

# %% [markdown]
# ### What the segmenter's error does to the age
#
# The regressor has learnt from reference volumes. In {numref}`tab-05-propagated` it is
# shown these, *as learnt*, and those of a network. A *mean shift* of the answer comes of a
# bias of the volumes, which a regressor trained on the same network's volumes would
# absorb; the *SD* is what differs from scan to scan.

# %% mystnb={"table": {"name": "tab-05-propagated", "caption": "What the segmenter's error does to the age, in years: the same regressor, other volumes."}}
line, _ = volume_regressors()["linear"]
propagated = volumes.propagate_segmentation(
    age, parts, line, parts_ml, segmented.volumes
)
run.save_table(propagated, "propagated", "Segmentation error in years.")
pretty(propagated)

# %% [markdown]
# ## Maps: where the tissue is
#
# A share says how much tissue there is, a map also where. Maps of the three
# tissues on a 4 mm grid, blurred, meet ridge regression (`maps_ridge`) and kernel
# ridge with a Gaussian kernel (`maps_gaussian`) {cite:p}`franke2010`, with the settings
# of {numref}`tab-05-map-settings`.

# %% mystnb={"table": {"name": "tab-05-map-settings", "caption": "Settings that the inner folds chose for each outer fold: SD of the blur in voxels of 4 mm, relative width of the Gaussian kernel, and the ridge penalty alpha."}}
found = models.map_models(age, tissues, parts)
predictions |= found
for name, prediction in found.items():
    report.add_ages(run, age, parts, name, prediction.outer)
settings = pd.DataFrame(
    [
        {"model": name, "fold": k + 1} | chosen
        for name, prediction in found.items()
        for k, chosen in enumerate(prediction.chosen)
    ]
)
settings.style.hide().format({"alpha": "{:.2g}"})

# %% [markdown]
# ## Approach B: networks that read the age from the image
#
# ResNeXt as in the source, and a light network after SFCN {cite}`peng2021`, are
# trained with mean squared error in each outer fold ({numref}`fig-05-curves`,
# {numref}`tab-05-age-networks`). The first inner fold is the validation part: it is
# watched, it weighs the ensemble; it stops nothing and picks no epoch. Before a network
# is scored, `eval()` is called, which the source never does: more of that below.

# %% mystnb={"table": {"name": "tab-05-age-networks", "caption": "Networks that read the age from the image, on the outer folds, with 95 % intervals over subjects."}}
nets = models.fit_age_networks(run, age, tissues, parts)
for name, fit in nets.items():
    predictions[name] = fit.prediction
    report.add_ages(run, age, parts, name, fit.prediction.outer)
if nets:
    rows = [row for row in run.rows if row["model"] in nets]
    found = results_table(rows, metrics)
    display(pretty(plain(found)))

# %% mystnb={"figure": {"name": "fig-05-curves", "caption": "Root mean squared error of the age networks over epochs, a line an outer fold."}, "image": {"alt": "Training and validation error of the age networks over epochs."}}
if nets:
    figure = learning_curves(
        {name: fit.histories for name, fit in nets.items()},
        {"rmse_years": "RMSE (years)"},
    )
    run.save_figure(
        figure,
        "curves",
        "Errors of the age networks over epochs.",
        "Training and validation error over epochs.",
    )

# %% [markdown]
# ## An ensemble
#
# In each fold the best volume model, the best map model (by *inner* error) and
# the networks are averaged, weighted by the inverse square of their inner
# errors ({numref}`tab-05-weights`). No test part is asked.

# %% mystnb={"table": {"name": "tab-05-weights", "caption": "Weights of the ensemble in each outer fold, by the inner errors; 0: not chosen in this fold."}}
together, weights = models.ensemble(predictions, age, parts)
predictions["ensemble"] = together
report.add_ages(run, age, parts, "ensemble", together.outer)
run.save_table(weights, "weights", "Weights of the ensemble, by fold.")
pretty(report.turned(weights, "fold", "model, by fold"))

# %% [markdown]
# ## Results on the outer folds
#
# Every model has predicted the age of the same subjects. Intervals are 95 %
# bootstrap intervals over subjects; they do not hold the luck of a training.
# {numref}`tab-05-results` has all models, {numref}`fig-05-comparison` ranks them: the
# first of so many is first partly by luck. {numref}`fig-05-predicted` shows one of each
# approach; errors by decade of age are in {numref}`fig-05-decades` and, for the ensemble,
# {numref}`tab-05-by-decade`. The interval of a decade with few subjects is itself
# uncertain.

# %% mystnb={"table": {"name": "tab-05-results", "caption": "All models on the outer folds, with 95 % intervals over subjects; errors in years."}}
results = results_table(run.rows, metrics)
run.save_table(results, "results", "All models on the outer folds.")
pretty(plain(results))

# %% mystnb={"figure": {"name": "fig-05-comparison", "caption": "Mean absolute error of each model with 95 % intervals, best first."}, "image": {"alt": "Mean absolute error of all models with intervals, best first."}}
ranked = ranking(run.rows, "mae_years")
figure = agreement.model_comparison(ranked, "MAE (years)")
run.save_figure(
    figure,
    "comparison",
    "Mean absolute error of each model.",
    "Mean absolute error of all models with intervals.",
)

# %% mystnb={"figure": {"name": "fig-05-predicted", "caption": "Predicted against true age on the outer folds, one model of each approach and the ensemble. A red triangle at the edge is a prediction beyond it."}, "image": {"alt": "Scatter plots of predicted against true age for volumes, maps, networks and the ensemble."}}
few = ["volumes_linear", "volumes_contrast_gaussian_process"]
few += ["maps_gaussian", *nets, "ensemble"]
answers = {name: predictions[name].outer[kept] for name in few}
figure = brain_age.predicted_against_true(age[kept], answers)
run.save_figure(
    figure,
    "predicted",
    "Predicted against true age, one model of each approach.",
    "Scatter plots of predicted against true age.",
)

# %% [markdown]
# Do three numbers do as well as a network, as in the source? Each model is compared with
# the straight line on two shares (the third follows). Several are compared at once, so
# that one interval may miss 0 by chance.

# %% tags=["remove-input"]
people = parts.person[kept]
Markdown(report.paired_text(run, age[kept], answers, "volumes_linear", people))

# %% mystnb={"figure": {"name": "fig-05-decades", "caption": "Mean absolute error by decade of age, with 95 % intervals."}, "image": {"alt": "Mean absolute error of three models in each decade."}}
shown = ("volumes_linear", "maps_gaussian", "ensemble")
decades = {
    name: by_decade(age[kept], predictions[name].outer[kept], people, p.seed)
    for name in shown
}
figure = brain_age.decades_figure(decades)
run.save_figure(
    figure,
    "decades",
    "Mean absolute error by decade.",
    "Mean absolute error of three models in each decade.",
)

# %% mystnb={"table": {"name": "tab-05-by-decade", "caption": "The ensemble's error by decade of age, in years; a gap above 0 is an overestimated age."}}
run.save_table(decades["ensemble"], "by_decade", "The ensemble by decade.")
pretty(decades["ensemble"])

# %% [markdown]
# ## The brain-age gap
#
# Predicted minus true age is called the brain-age gap, and a positive one is often
# read as an aged brain. Look at the left panel of {numref}`fig-05-gap` first: a line that
# falls says that the age of the young is overestimated and that of the old
# underestimated, because an uncertain model answers near the mean. That alone makes the gap correlate with age, and
# with all that goes along with age.
#
# Two corrections are in use {cite:p}`smith2019,delange2022`. Both need the slope
# of predicted on true age, which here comes from inner predictions. One divides
# by the slope: an honest prediction, of usually larger error, because the noise is
# stretched, too. The other adds back the bias expected **at the subject's true age**. Its
# MAE is printed in {numref}`tab-05-gaps`, and is not an accuracy: the less a model knows,
# the more of its "prediction" is the true age itself {cite}`butler2021`.

# %% mystnb={"figure": {"name": "fig-05-gap", "caption": "The gap against age: as predicted, corrected without the age, and corrected with the true age."}, "image": {"alt": "Three scatter plots of the brain-age gap against age with regression lines."}}
variants, gaps = report.gap_variants(age, together, parts)
figure = brain_age.gap_figure(age[kept], variants)
run.save_figure(
    figure,
    "gap",
    "The brain-age gap before and after correction.",
    "Three scatter plots of the gap against age.",
)

# %% mystnb={"table": {"name": "tab-05-gaps", "caption": "The brain-age gap before and after correction; the last row never sees a scan."}}
gaps = report.gap_table(age, gaps, parts)
run.save_table(gaps, "gaps", "Gaps before and after correction.")
pretty(gaps)

# %% [markdown]
# The last row of {numref}`tab-05-gaps` is the *mean* predictor, which never sees a scan,
# after the same correction. So much for errors computed after it.
#
# ## Does the interval hold what it promises?
#
# The half-width is the conformal quantile of the ensemble's errors on the
# validation part of each fold {cite}`lei2018distribution`. The same errors weigh the
# ensemble, so that the promise is approximate. {numref}`fig-05-interval` sets each true
# age beside its interval.

# %% mystnb={"figure": {"name": "fig-05-interval", "caption": "Prediction interval of each tested subject, youngest first, and the true age."}, "image": {"alt": "Vertical intervals of predicted ages with the true age inside or outside."}}
half = report.intervals(run, age, together, parts, "ensemble")
middle, width = together.outer[kept], half[kept]
ends = middle - width, middle + width
labels = "subjects, youngest first", "age (years)"
figure = agreement.interval_figure(age[kept], *ends, *labels)
run.save_figure(
    figure,
    "interval",
    "Prediction intervals of the tested subjects.",
    "Intervals of predicted ages and the true age.",
)

# %% tags=["remove-input"]
row = next(r for r in run.rows if r["metric"] == "coverage")
Markdown(
    f"Promised: {p.coverage:.0%}. Measured on {row['n']} subjects: "
    f"**{row['value']:.1%}** (95 % interval {row['ci95'][0]:.1%} to "
    f"{row['ci95'][1]:.1%}), with half-widths of {np.nanmin(half):.1f} to "
    f"{np.nanmax(half):.1f} years."
    + (
        ""
        if report.promise_kept(together, p.coverage)
        else " The validation parts are too small to promise that coverage."
    )
)

# %% [markdown]
# ## What does the network look at?
#
# Occlusion: a cube is set to 0, the mean of a normalised brain, and the age is predicted
# again. Grad-CAM {cite}`selvaraju2017`: where the last features raise or lower the
# answer. The size of both is averaged in template space over the first `occluded`
# subjects whom the first fold tests, with its network ({numref}`fig-05-maps`). Checks
# ({numref}`tab-05-map-checks`): the map of the same network with **random weights** must
# differ; how much of the map lies on the quarter of the brain with most fluid, where
# ventricles and fissures are; and whether hiding what the map calls important moves the
# answer more than hiding blocks at random ({numref}`fig-05-deletion`).

# %% mystnb={"table": {"name": "tab-05-map-checks", "caption": "Checks of the mean maps: size, if they are constant, random weights, and the place that they lie on; an even map has the share of the last row there."}}
if nets:
    sfcn = nets["sfcn"]
    why = models.explain_age_network(run, "sfcn", sfcn, tissues, parts)
    run.save_table(why.checks, "map_checks", "Checks of the maps.")
    display(pretty(report.turned(why.checks, "map", "check")))

# %% mystnb={"figure": {"name": "fig-05-maps", "caption": "Mean occlusion map (change in years) and mean absolute Grad-CAM of SFCN, over the mean brain that it was fed. Values below 15 % of the largest are not drawn."}, "image": {"alt": "Maps of importance over a mean brain in three planes."}}
if nets:
    figure = views.mean_maps(why.background, why.maps)
    run.save_figure(
        figure,
        "maps",
        "Mean occlusion map and mean Grad-CAM.",
        "Maps of importance over a mean brain in three planes.",
    )

# %% mystnb={"figure": {"name": "fig-05-deletion", "caption": "Change of the predicted age while the brain is hidden in the order of each map, and in random blocks."}, "image": {"alt": "Curves of change of age against the hidden share of the brain."}}
if nets:
    figure = agreement.change_curves(
        np.array(explain.SHARES),
        why.deletion,
        "share of the brain that is hidden",
        "change of predicted age (years)",
    )
    run.save_figure(
        figure,
        "deletion",
        "Deletion curves of the maps.",
        "Change of predicted age against the hidden share of the brain.",
    )

# %% tags=["remove-input"]
if nets:
    n_explained = len(parts.folds[0].test[: p.occluded])
    display(Markdown(explain.explanation_text(why, n_explained)))

# %% [markdown]
# ## What the source's own protocol would have reported
#
# Flaws of source 004, on this data.
#
# **Training-set error.** One displayed figure of the source fits a regressor and
# scores it on the same 500 subjects. For two or three numbers and a straight line
# the harm is small; the more a regressor can remember, the larger it is, and for a
# forest (`trees`, which the source does not use) it is total ({numref}`tab-05-training-set`; settings are not tuned
# here).

# %% mystnb={"table": {"name": "tab-05-training-set", "caption": "Errors on the regressors' own training set, beside those on the outer folds, with 95 % intervals over subjects."}}
own = source.training_set_error(run, age, relative, parts)
run.save_table(own, "training_set", "Errors on the own training set.")
pretty(own)

# %% [markdown]
# **If the part that chooses were the part that is reported.** The source picks the
# number of epochs on data whose errors it shows as validation; its 6.90 and 7.09 y are
# of another hundred subjects, so this rung says what the choice could be worth, and not
# what the source did. The best epoch cannot be worse than the last one; the fair rival is
# an epoch that others chose: each half of the tested people at the epoch that is best on
# the other half. It never calls `eval()`: batch normalisation scores each batch by its own statistics,
# and scoring changes the network. In {numref}`tab-05-picked-on-test` SFCN trains with
# the test part of the first fold as its validation part, from `source_trainings` seeds.

# %% mystnb={"table": {"name": "tab-05-picked-on-test", "caption": "SFCN with the test part as its validation part: error at the last epoch, at the epoch that is best on the test part, and at the one that is best on its other half, means of the trainings with 95 % intervals over subjects and trainings; which epoch of each is best on the test part, and how many were trained."}}
if nets:
    picked = source.picked_on_test(run, tissues.images, age, parts)
    run.save_table(picked, "picked_on_test", "The source's protocol.")
    display(pretty(report.turned(picked, "protocol", "error")))

# %% [markdown]
# **If the best model on the test part were reported.** Nothing shows that the source's
# hundred chose among the regressors; many papers choose so. Inner folds choose
# without looking.

# %% tags=["remove-input"]
best = source.best_on_test(run, predictions, age, parts)
Markdown(
    f"Of {best['n']} models on volumes and maps, `{best['model']}` has the "
    f"lowest MAE on the tested subjects: {best['best']} years. Chosen by "
    f"inner folds: {best['chosen']} years. (In brackets, here and below: 95 % "
    "intervals over subjects. What chose is not chosen anew for them.)"
)

# %% [markdown]
# **Three shares that sum to one.** The source's cubic takes all three.

# %% tags=["remove-input"]
three = np.column_stack([share[name] for name in names])
columns, rank = source.source_design(three)
Markdown(
    f"Its design matrix has {columns} columns and rank {rank}: infinitely "
    "many coefficients fit equally well. This chapter drops one share and "
    "shrinks."
)

# %% [markdown]
# **One unseeded split.** The source's two-fold cross-validation has no seed; a
# second run gives another number, and the better one may be kept.

# %% tags=["remove-input"]
luck = source.best_of_many(run, age, relative, parts)
Markdown(
    f"Over {luck['n']} two-fold splits the linear regressor's MAE is "
    f"{luck['mean']} years on average, {luck['best']} at best and "
    f"{luck['worst']} at worst."
)

# %% [markdown]
# ## On real brains
#
# Reference runs of this chapter on real scans are kept with the book: their
# record, every number, and the figures that show no person. A row is a model,
# tested on subjects that neither fitted nor chose it. Coverage is the share of true ages
# that intervals of 90 % held, where a model has them.

# %% mystnb={"table": {"name": "tab-05-real", "caption": "Reference runs on real scans, with 95 % intervals over subjects; MAE in years."}} tags=["hide-input"]
reference = reference_table(
    "05_brain_age",
    ["mae_years", "r2", "ccc", "coverage"],
    report.REFERENCE_MODELS,
)
shown = pretty(plain(reference))
shown if len(reference) else Markdown("No reference run is kept yet.")

# %% [markdown]
# ## The model that is saved
#
# `fetal-lib predict brain-age` needs no network: blurred tissue maps, of which the two
# halves of the brain are averaged, go to principal components, cosines of a Gaussian
# kernel {cite}`rahimi2007` and ridge regression; a smooth curve of inner predictions
# against age follows. No scan of a subject is in the files, and neither brightness nor
# contrast enters: a linear rescaling, another bit depth or a bright tail leaves the age
# as it is. It is judged by the same folds (`predict_model` in the results;
# {numref}`tab-05-saved-decades`), then fitted to all.

# %% mystnb={"table": {"name": "tab-05-saved-decades", "caption": "The saved model's error on the outer folds by decade of age, in years; a gap above 0 is an overestimated age."}}
saved = save.save_age_model(run, age, tissues, parts)
told = by_decade(age[kept], saved.outer[kept], people, p.seed)
run.save_table(told, "saved_by_decade", "The saved model by decade.")
pretty(told)

# %% tags=["remove-input"]
Markdown(report.saved_text(run, save.NAME))

# %% [markdown]
# A scan that was brought to other voxels has been interpolated: it is softer, the more so the
# farther its voxels lie from those of the grid. A scan that lay elsewhere is registered, and
# then fills the template as this registration sees fit; the scans of a data set were brought
# there by another one, which may leave all brains a few per cent smaller. Softer edges and a
# larger brain look like other tissue, and a model that knows scans of one kind only takes
# them for age. So it learns from each scan three times: as it came; interpolated once more,
# half a voxel off the grid, which is the softest that linear interpolation makes it; and
# turned and moved at random (SD 6° and 8 mm along each axis), then registered here as
# `predict brain-age` does. No scan of a person tested is among them. What each of the three is
# worth is in {numref}`tab-05-resampled`: look at the mean gap of registered scans.

# %% mystnb={"table": {"name": "tab-05-resampled", "caption": "Error in years on the outer folds, on scans as they came and on the same scans interpolated once more, or turned, moved and registered, by what a model learnt from; the saved one learns from all three. 95 % intervals over subjects."}}
again, words = resampled.resampled_table(run, age, tissues, parts)
run.save_table(again, "resampled", "Scans interpolated or registered.")
pretty(again)

# %% tags=["remove-input"]
Markdown(words)

# %% [markdown]
# :::{warning}
# The interval holds for scans and ages like those of the training data, and for the
# healthy. The age of the young is overestimated, that of the old underestimated; a gap
# by itself is no sign of health or disease.
# :::
#
# Below are the tested subjects whose age it tells worst, then some over all others; on
# the page they can be sorted. Look for what the worst share: ages that are rare in the
# set, wide ventricles in the young, narrow ones in the old.

# %% tags=["hide-input"]
rows = np.flatnonzero(kept)
widths = report.half_widths(age, saved, parts, p.coverage)
judged = age[rows], saved.outer[rows], widths[rows]
tiles = age_tiles(
    table["subject"].iloc[rows].tolist(),
    *judged,
    lambda i: axial_slice(table.iloc[rows[i]]),
    "years",
)
caption = "Tested subjects: the worst told, then some over all the others."
run.save_gallery(tiles, "subjects", caption)

# %% [markdown]
# ### What an uneven brightness does to an age
#
# Coils see what is near them brighter. OASIS-1 came corrected, and the phantoms are only
# a little uneven, so that fields are multiplied onto scans here, smooth and **known**,
# with a logarithm whose SD is 10 or 20 % in the brain. Three ways to even them out meet:
# none, N4 as in the source, and the polynomial that the mixture fits along with the
# tissues, which is what this chapter and `predict brain-age` use. An age *moves* from
# what the same way says of the same scan without the field; the field being known, what
# is left of it is measured, too ({numref}`tab-05-uneven`). The model is that of the outer
# fold that tested the subject.

# %% mystnb={"table": {"name": "tab-05-uneven", "caption": "How far predicted ages move, in years, by a field of known strength: means over the scans with 95 % intervals, and the largest; left of the field: SD of the logarithm of what remains."}}
moved = uneven.uneven_ages(run, table, tissues, parts, saved)
shown = uneven.uneven_table(run, moved)
run.save_table(shown, "uneven", "Ages of unevenly bright scans.")
pretty(shown, 2)

# %% tags=["remove-input"]
Markdown(uneven.uneven_text(run, moved))

# %% [markdown]
# ## What the gap is for
#
# A gap is of use if it tells more than the age and the volume of a brain do. With a
# folder of people who have a Clinical Dementia Rating (`external_data`), each of them is
# paired with a healthy subject of the same sex and nearly the same age, and both are
# judged by the model of that subject's outer fold, which knew neither. Three scores
# compete in the table and the curves below: the gap, the gap after regression to the mean
# was taken off **without the person's age**, and plain nWBV, the brain's share of the head.

# %% mystnb={"table": {"name": "tab-05-impaired", "caption": "People with a dementia rating against healthy partners of their age and sex: area under the ROC curve, means in years (nWBV: share, sign turned), Spearman's correlations with the rating (all) and with MMSE (the impaired), with 95 % intervals."}}
if p.external_data:
    groups = impaired.compare_groups(run, table, tissues, parts, saved)
    scored, bands = impaired.group_table(run, groups)
    run.save_table(scored, "impaired", "Impaired and healthy people.")
    display(pretty(scored))
else:
    display(Markdown("This run was given no such folder."))

# %% mystnb={"figure": {"name": "fig-05-impaired", "caption": "ROC curves of the three scores with 95 % bands over persons; n impaired people, each with a healthy partner."}, "image": {"alt": "Three ROC curves with bands: the gap, the corrected gap, and nWBV."}}
if p.external_data:
    figure = roc_grid(bands)
    run.save_figure(
        figure,
        "impaired",
        "ROC curves of gap and nWBV.",
        "Three ROC curves with bands, of the gap, the corrected gap and nWBV.",
    )

# %% tags=["remove-input"]
if p.external_data:
    display(Markdown(impaired.group_text(groups, p.seed)))

# %% tags=["remove-cell"]
run.finish()

# %% [markdown]
# ## Limits and intended use
#
# - **Not for clinical use.** Research and teaching only. A gap is no diagnosis.
# - Phantoms follow published volumes: a model that does well on them has found
#   those volumes again. Their main sulci are the template's.
# - OASIS-1 is one scanner and one city {cite}`marcus2007`. Ages between 30 and 40 are
#   rare there, so that errors rest on few people.
# - Reference labels are a mixture model's opinion. A network taught by them can
#   only agree or disagree with it.
# - Scans must be stripped; raw ones are declined with the command that strips them. A
#   stripped scan that is not in MNI space is registered to it, and declined where that
#   fails.
# - The networks of `quick` are narrow and see a few hundred scans at most; the published
#   SFCN learnt from more than ten thousand {cite}`peng2021`. Errors of different data
#   compare only with the range of ages in mind.
#
# ## Key points
#
# 1. Two tissue shares and a straight line are the baseline that any network must be
#    shown against.
# 2. Choose on inner folds; report outer folds; say how far one split scatters.
# 3. The gap is regression to the mean first. Corrected with the true age, even a
#    predictor that sees nothing looks perfect.
# 4. A segmentation error is an age error: propagate it.
#
# ## Parameters to try
#
# | change | what to expect |
# |---|---|
# | `data=PATH` | the chapter on a BIDS folder, such as OASIS-1 |
# | `external_data=PATH` | the gap of people with a dementia rating beside healthy ones |
# | `n_folds=10` | more training subjects a fold, a longer run |
# | `age_networks=false` | everything but approach B |
# | `segmentation_spacing_mm=3` with `segmentation_side=64` | the source's grid |
# | `segmentation_spacing_mm=1.5` with `segmentation_side=128` | its other grid, defined there and never used |
# | `pooling=code` | the source's poolings; several times the work |
# | `profile=full` | the source's widths and sizes; wants a GPU |
#
# ## How to cite
#
# Cite this compendium (`CITATION.cff`), the data {cite:p}`marcus2007` and the
# networks {cite:p}`cicek2016,xie2017,peng2021`.
