# %% [markdown]
# # Gestational age from three planes of fetal MRI
#
# | | |
# |---|---|
# | **Task** | tell how old a fetus is, in days, from slices of its brain |
# | **Data** | phantoms (default), atlas templates, or any folder in BIDS (Brain Imaging Data Structure) with ages |
# | **Model** | VGG16 with a sigmoid gate for each plane, 34,770,753 parameters as published (Keras) |
# | **Source** | project 000, a README and scripts; after {cite:t}`shen2022` and {cite:t}`simonyan2014vgg` |
# | **Run time** | minutes on two CPU cores (`quick`), a narrow network on small slices |
# | **Status** | runs whole on phantoms |
#
# The cortex of a fetus folds on a timetable. A radiologist reads the age off the
# folds; so can a network {cite:p}`shen2022`. The error that is reported for it depends
# on how the fetuses of training and test were kept apart.
#
# **What to take away.** Slices of one fetus are not independent. Folds drawn over
# slices also reward a network that knows the *fetus* again; only folds over fetuses
# test whether it can tell the *age* of a new one.

# %% tags=["parameters"]
profile = "quick"
data = "phantom"
seed = 0
refit = False
out = ""
n_phantoms = 120
spacing_mm = 1.5
image_size = 48
n_slices = 6
size_normalised = True
planes = "all"
backbone = "vgg16"
width = 0.125
batch_norm = True
n_pools = 3
weights = "none"
fine_tune_last = 100
hidden = 64
dropout = 0.1
epochs = 8
batch_size = 8
learning_rate = 0.002
schedule = "cosine"
scale_target = True
augment = False
n_folds = 4
coverage = 0.9
leak_folds = 1
source_trainings = 1
ablation = False
explained = 6
n_stacks = 6
external_data = ""
save_model = True

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from fetal_lib.data.layouts.fetal_mri import read_cases
from fetal_lib.data.splits.check import assert_disjoint
from fetal_lib.data.splits.folds import k_folds
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.explain.deletion_verdict import deletion_verdict
from fetal_lib.metrics import intervals
from fetal_lib.plots import agreement
from fetal_lib.plots import gestational_age as plots
from fetal_lib.plots.learning import learning_curves
from fetal_lib.plots.pictures import picture_sheet

# %% tags=["hide-input"]
from fetal_book.chapters.age_scores import age_rows
from fetal_book.chapters.age_tiles import age_tiles
from fetal_book.chapters.gestational_age import baselines, external, fit
from fetal_book.chapters.gestational_age import data as fetus_data
from fetal_book.chapters.gestational_age import leak, maps, raw_stacks
from fetal_book.chapters.gestational_age import report, save
from fetal_book.chapters.gestational_age import scores as score
from fetal_book.chapters.tables import ranking
from fetal_book.runs.published import published_runs, reference_table
from fetal_book.runs.session import open_run

run = open_run("01_gestational_age", globals())
p = run.parameters

# %% tags=["remove-cell"]
Markdown(run.banner())

# %% [markdown]
# ## The question, and what the source reports
#
# Source 000 trains on slices of 261 fetuses of 19 to 39 weeks and reports a mean
# absolute error (MAE) of about 4.5 days and an R² of about 0.95. Its folds are
# drawn over *slices*, and the held-out fold also stops the training. Published
# errors form a ladder. On new fetuses, 5.4 days is the best that we found
# {cite:p}`shi2020`, and 6.7 a later one {cite:p}`shen2022`; 3.8 where the images of a
# patient are split over training and test {cite:p}`hasan2024`, and 0.9 where the rows of
# a scan are, which go with 3.6 on 21 fetuses of elsewhere {cite:p}`hong2021`.
#
# We ask two things: what can the *shape* of the brain tell of the age, once its
# size is normalised away; and by how much does the source's protocol, a leak
# {cite:p}`kapoor2023`, flatter?
#
# ## Data
#
# `data=phantom` makes fetuses up. A folder in BIDS or in the source's own layout is
# read as it is. A folder with one atlas template per week is turned into individuals:
# blends of the two templates around an age, each with a smooth warp and a simulated scan
# of its own. They share a few templates, so that folds within one atlas flatter, and
# only another atlas (`external_data`) tests the network. {numref}`tab-01-data-sets`
# says what the data of this run are, {numref}`tab-01-fetuses` how many, how old and how
# large.
#
# From each brain, slices are cut around its middle in three planes, turned upright.
# With the size kept, a pixel is the same length in every fetus. With the size
# normalised away, every brain has the same volume in units of the picture, however
# large it is ({numref}`fig-01-ages`); what else would betray the size is made alike:
# large brains are blurred to the coarseness of the smallest, and outlines, cut from
# voxels of one length, are rounded. Look in {numref}`fig-01-data` for what is left: the
# rim of fluid, the layers of the mantle (the wall of the brain), the furrows.

# %% mystnb={"table": {"name": "tab-01-data-sets", "caption": "What each data set of this run is: phantom, drawn by this project; blend, an individual made of an atlas' templates; template, an average of fetuses; scan or picture, of a fetus. Part own: learnt from, and tested by folds; external: scored only."}}
sets = report.data_sets(p)
run.save_table(sets, "data_sets", "What each data set of this run is.")
sets.style.hide()

# %% mystnb={"table": {"name": "tab-01-fetuses", "caption": "The fetuses of this run: how many, how old, how large."}}
cases = read_cases(fetus_data.find_data(p))
brains = fetus_data.cut_planes(cases, p)
fetuses = brains.fetuses()
run.data_fingerprint = fetus_data.fingerprint(brains)
fetus_data.describe(brains).style.hide()

# %% mystnb={"figure": {"name": "fig-01-data", "caption": "Middle slices of fetuses spread over the ages, youngest first."}, "image": {"alt": "Axial, coronal and sagittal slices of fetal brains, a column a fetus; among phantoms, the youngest have a wide bright rim of fluid and layers in the mantle, the oldest bright furrows."}}
middle = brains.table["slice"] == p.n_slices // 2
order = brains.table[middle].sort_values("ga_days").index
pick = order[evenly_spaced(6, len(order))]
titles = [f"{d / 7:.0f} weeks" for d in brains.table.loc[pick, "ga_days"]]
slices = brains.images[pick]
rows = {name: slices[..., k] for k, name in enumerate(plots.PLANES)}
figure = picture_sheet(rows, titles, row_inches=1.2)
run.save_figure(
    figure,
    "data",
    "Middle slices of fetuses spread over the ages, youngest first.",
    "Axial, coronal and sagittal slices of fetal brains.",
)

# %% mystnb={"figure": {"name": "fig-01-ages", "caption": "Ages of the fetuses, and the volume of their brains with the fluid around."}, "image": {"alt": "Histogram of gestational ages, and scatter plot of brain volume against age."}}
figure = plots.age_histogram(fetuses["ga_days"], fetuses["brain_ml"])
run.save_figure(
    figure,
    "ages",
    "Ages of the fetuses and volume of their brains.",
    "Histogram of ages, and brain volume against age.",
)

# %% [markdown]
# ## Split and leak audit
#
# The outer folds deal out *fetuses*, stratified by age ({numref}`tab-01-outer-folds`);
# each is tested once, by a network that never saw it. Within the training part of a
# fold, a sixth of the fetuses is the inner validation part: it picks the epoch and, where
# `schedule` is `plateau`, steers the learning rate. Nothing is chosen on a fold that is tested.

# %% mystnb={"table": {"name": "tab-01-outer-folds", "caption": "The outer folds: fetuses, samples (a slice of each plane), mean and SD of the ages in days."}}
folds = fit.make_folds(brains, p)
brains.table["fold"] = 0
for fold in folds:
    brains.table.loc[fold.test, "fold"] = fold.number
assert_disjoint(brains.table["group"], brains.table["fold"])
run.save_table(
    brains.table[["subject", "slice", "fold"]], "split", "The folds."
)
parts = brains.table.groupby(brains.table["fold"] + 1).agg(
    fetuses=("group", "nunique"),
    samples=("subject", "size"),
    mean=("ga_days", "mean"),
    SD=("ga_days", "std"),
)
parts.reset_index().style.hide().format(precision=1)

# %% [markdown]
# The source deals out slices instead. {numref}`tab-01-leak-audit` counts, for both
# ways, the held-out samples whose fetus also stands in the training part.

# %% mystnb={"table": {"name": "tab-01-leak-audit", "caption": "Share of the held-out samples whose fetus also stands in the training part."}}
naive = k_folds(
    np.arange(len(brains.table)).astype(str),
    fetus_data.age_group(brains.table["ga_days"]),
    p.n_folds,
    p.seed,
)
shared = fetus_data.shared_fetuses(brains.table["group"], naive)
honest = fetus_data.shared_fetuses(brains.table["group"], brains.table["fold"])
sides = pd.DataFrame(
    {
        "folds over": ["slices (source 000)", "fetuses"],
        "held-out samples whose fetus is trained on": [shared, honest],
    }
)
run.save_table(sides, "leak_audit", "Fetuses on two sides of a split.")
sides.style.hide().format(precision=3)

# %% [markdown]
# ## Baselines: how far one gets without a network
#
# Three baselines know what the network knows, or less ({numref}`tab-01-baselines`).
# `mean` always answers the training mean. `brain_area` is a cubic in the share of the
# pictures that the brain covers: where it errs clearly less than the mean, the area
# still tells of the age. `slice_measures` is the fair rival: a ridge regression on plain
# measures of the same pictures (width and height of the outline, quantiles of the
# brightness, how rough it is), its penalty chosen on inner folds.
#
# The fourth, `brain_volume`, is a cubic in the volume in millilitres, where it is known.
# A network whose pictures have the size normalised away does **not** get to know it:
# every brain then has the same volume in the picture, from which nothing but the mean
# follows. Errors are the mean absolute error (MAE), the root mean squared error (RMSE),
# R² and Lin's concordance correlation coefficient (CCC, 1 for perfect agreement)
# {cite:p}`lin1989concordance`.

# %% mystnb={"table": {"name": "tab-01-baselines", "caption": "Held-out fetuses, without a network, with 95 % intervals over fetuses."}}
rivals = baselines.baseline_answers(brains, folds, p)
for name in (one for one in baselines.BASELINES if one in rivals):
    answers = rivals["ga_days"], rivals[name], "days", name, "test"
    for row in age_rows(*answers, rivals["group"].to_numpy(), p.seed):
        run.add_result(**row)
report.results_table(run.rows, p).style.hide()

# %% [markdown]
# ## The model
#
# One VGG16 reads all three planes ({numref}`tab-01-shapes`). For each plane, a *gate*
# is multiplied onto the features: a 1 × 1 convolution of them with a sigmoid. The
# planes are then flattened and concatenated, and a dense layer leads to one number. The
# gate has one channel for every feature and no normalisation over space, so *where it
# looks* is loosely defined: see {numref}`fig-01-gates`. The source fine-tunes "the last
# 100 layers" of a backbone that has 19 without its top, which freezes none.
# {numref}`tab-01-fine-tuning` says what each depth trains in this run's backbone; a
# narrow one counts each normalisation and ReLU as a layer.

# %%
network = fit.new_network(p)
run.add_result(
    model=fetus_data.network_name(p),
    split="all",
    metric="params",
    value=network.count_params(),
)
Markdown(f"Parameters in this run: **{network.count_params():,}**.")

# %% mystnb={"table": {"name": "tab-01-shapes", "caption": "The parts of the network of this run: shape of the output, parameters."}}
fit.layer_shapes(network).style.hide()

# %% mystnb={"table": {"name": "tab-01-fine-tuning", "caption": "What a fine-tuning depth trains in the backbone of this run."}}
depths = fit.depth_table(p)
run.save_table(depths, "fine_tuning", "What a fine-tuning depth trains.")
depths.style.hide()

# %% [markdown]
# ## Training
#
# Huber loss and Adam, a new network for every fold. `quick` is a narrow VGG16 with
# batch normalisation on small slices, its learning rate falling along a cosine; `full` is
# the source's recipe: 224 pixels, 100 epochs, a rate that halves on a plateau, early
# stopping after 10 epochs. Gated features are never negative, so that one large first
# step moves all units of the dense layer the same way and can silence them for good:
# with `batch_norm`, a layer normalisation follows the dense layer. {numref}`fig-01-curves`
# has the fits of all folds.

# %%
fits = [fit.fit_fold(run, brains, fold) for fold in folds]
run.add_result(
    model=fetus_data.network_name(p),
    split="train",
    metric="train_s",
    value=sum(one.train_s for one in fits),
)

# %% mystnb={"figure": {"name": "fig-01-curves", "caption": "Loss of the training part and error of the inner validation part, a line a fold."}, "image": {"alt": "Training loss and validation error over epochs, a line a fold."}}
figure = learning_curves(
    {"": [one.history for one in fits]},
    {"loss": "Huber loss", "mae": "MAE (days)"},
    log=True,
)
run.save_figure(
    figure,
    "curves",
    "Training loss and inner validation error of each fold.",
    "Loss and validation error over epochs, a line a fold.",
)

# %% [markdown]
# ## Results on held-out fetuses
#
# The answers for all slices of a fetus are combined into one, their median. Intervals
# are 95 % bootstrap intervals over fetuses {cite:p}`field2007clustered`; they do not
# hold the luck of a training. {numref}`tab-01-results` and
# {numref}`fig-01-comparison` set the network beside the baselines;
# {numref}`fig-01-agreement` shows each fetus.

# %% mystnb={"table": {"name": "tab-01-results", "caption": "Held-out fetuses, all models, with 95 % intervals over fetuses."}}
held_out = fit.answers(brains, fits)
result = score.per_fetus(
    held_out["subject"].to_numpy(),
    held_out["ga_days"].to_numpy(),
    held_out["pred_days"].to_numpy(),
)
first = held_out.drop_duplicates("subject").set_index("subject")
for column in ("group", "fold"):
    result[column] = result["subject"].map(first[column])
days, pred = (result[name].to_numpy() for name in ("ga_days", "pred_days"))
group, name = result["group"].to_numpy(), fetus_data.network_name(p)
for row in age_rows(days, pred, "days", name, "test", group, p.seed):
    run.add_result(**row)
results = report.results_table(run.rows, p)
run.save_table(results, "results", "Held-out fetuses, all models.")
results.style.hide()

# %% tags=["remove-input"]
Markdown(baselines.against_baselines(rivals, result, p))

# %% mystnb={"figure": {"name": "fig-01-comparison", "caption": "Mean absolute error of each predictor on held-out fetuses, with 95 % intervals."}, "image": {"alt": "Mean absolute error of the baselines and the network with intervals."}}
ranked = ranking(run.rows, "mae_days")
figure = agreement.model_comparison(ranked, "MAE (days)")
run.save_figure(
    figure,
    "comparison",
    "MAE of each predictor.",
    "MAE of the baselines and the network with intervals.",
)

# %% mystnb={"figure": {"name": "fig-01-agreement", "caption": "Predicted against true age, coloured by fold, and the Bland-Altman plot with 95 % limits of agreement."}, "image": {"alt": "Scatter plot of predicted against true age and Bland-Altman plot."}}
figure = plots.age_agreement(days, pred, result["fold"].to_numpy())
run.save_figure(
    figure,
    "agreement",
    "Agreement of predicted and true age.",
    "Scatter plot and Bland-Altman plot of gestational age.",
)

# %% [markdown]
# ### Fold to fold, by trimester, and calibration
#
# {numref}`tab-01-folds` says how far one fold is from another, and
# {numref}`tab-01-by-trimester` at which age the network errs, and in which direction. The
# third trimester begins with 28 completed weeks.

# %%
by_fold = score.fold_table(result)
run.save_table(by_fold, "folds", "Each fold, and the spread between them.")
by_fold.style.hide().format(precision=3)

# %% mystnb={"table": {"name": "tab-01-by-trimester", "caption": "Errors by trimester, in days, with 95 % intervals over fetuses; a mean error above 0 is an overestimated age."}}
by_age = score.by_trimester(result, p.seed)
run.save_table(by_age, "by_trimester", "Errors by trimester.")
by_age.style.hide().format(precision=1)

# %% tags=["remove-input"]
Markdown(report.calibration_text(result, p.seed))

# %% [markdown]
# ### Does the interval hold what it promises?
#
# The half-width for the fetuses of a fold is the conformal quantile of the errors that
# all *other* folds were tested with: each of them was held out, too
# ({numref}`fig-01-interval`). This is the symmetric form of CV+, whose guarantee is weaker
# than the coverage that it usually has {cite:p}`barber2021`. The promise is for all
# fetuses together and not for each age: look if the errors of the youngest or of the
# oldest lie to one side.

# %% mystnb={"figure": {"name": "fig-01-interval", "caption": "Error of each fetus within its prediction interval, youngest first."}, "image": {"alt": "Prediction interval of each fetus with the true age inside or outside."}}
half = score.cross_conformal(
    pred - days, result["fold"].to_numpy(), p.coverage
)
covered = intervals.empirical_coverage(days, pred - half, pred + half)
inside = np.abs(pred - days) <= half
run.add_result(
    model=fetus_data.network_name(p),
    split="test",
    metric="coverage",
    value=covered,
    n=len(days),
    ci95=(ends := intervals.bootstrap_ci(inside, groups=group, seed=p.seed)),
)
with_ends = result.assign(low_days=pred - half, high_days=pred + half)
run.save_table(with_ends, "predictions", "Each fetus with its interval.")
labels = "fetuses, youngest first", "true - predicted (days)"
figure = agreement.interval_figure(
    days, pred - half, pred + half, *labels, pred
)
run.save_figure(
    figure,
    "interval",
    "Prediction intervals of held-out fetuses.",
    "Error of each fetus within its interval.",
)

# %% tags=["remove-input"]
Markdown(
    f"Promised: {p.coverage:.0%}. Measured on {len(days)} fetuses: "
    f"**{covered:.1%}** (95 % interval {ends[0]:.1%} to {ends[1]:.1%}), with "
    f"a median half-width of {np.median(half):.1f} days."
)

# %% [markdown]
# ## What does the network look at?
#
# Two kinds of maps: the *gate*, averaged over its channels, which the source
# shows ({numref}`fig-01-gates`); and Grad-CAM {cite:p}`selvaraju2017` of the gated
# features, its size in days, whether it makes the answer older or younger
# ({numref}`fig-01-cams`). Both have the coarse grid of the last features. They are made
# of `explained` fetuses spread over the ages, held out by the first fold, with its
# network. {numref}`tab-01-overlap` says how much of each map lies on the brain and,
# where there are labels, on its ventricles and its cortex; the gate counts by what it
# adds above its smallest value.

# %% mystnb={"table": {"name": "tab-01-overlap", "caption": "Share of each map that lies on a region, the region's share of the picture (area), and the ratio of both: 1 is what an even map has. Means over the explained fetuses."}}
seen = maps.explain(brains, cases, fits[0], p)
overlap = maps.overlap_table(seen, p)
run.save_table(overlap, "overlap", "Share of each map on each region.")
overlap.style.hide().format(precision=2)

# %% mystnb={"figure": {"name": "fig-01-overlap", "caption": "Share of each map on brain, ventricles and cortex, over the share of the picture that they cover; 1 is what an even map has."}, "image": {"alt": "Ratio of a map's share to the area's share, a point for each region and plane, a panel for Grad-CAM and one for the gate."}}
if len(overlap):
    figure = plots.overlap_figure(overlap)
    run.save_figure(
        figure,
        "overlap",
        "Share of each map on each region, over the region's area.",
        "Ratio of a map's share to the area's share, by region and plane.",
    )

# %% mystnb={"figure": {"name": "fig-01-gates", "caption": "Gate maps of held-out fetuses, youngest first: the mean of the gate over its channels, in colours from its smallest to its largest value."}, "image": {"alt": "Gate maps over slices of fetal brains in three planes."}}
shown = seen[:6]
names = fetus_data.CHOICES[p.planes]
titles = [f"{one.ga_days / 7:.0f} weeks" for one in shown]
pictures = [one.image for one in shown]
gates = [one.gates for one in shown]
figure = plots.map_gallery(pictures, gates, names, titles, "mean gate")
run.save_figure(
    figure, "gates", "Gate maps.", "Gate maps over slices of brains."
)

# %% tags=["remove-input"]
Markdown(maps.gate_text(seen))

# %% mystnb={"figure": {"name": "fig-01-cams", "caption": "Grad-CAM maps of the same fetuses: the brighter, the more days of the answer, in either direction."}, "image": {"alt": "Grad-CAM maps over slices of fetal brains in three planes."}}
cams = [one.cams for one in shown]
figure = plots.map_gallery(pictures, cams, names, titles, "Grad-CAM (days)")
run.save_figure(
    figure, "cams", "Grad-CAM maps.", "Grad-CAM maps over slices of brains."
)

# %% [markdown]
# Four checks {cite:p}`adebayo2018,petsiuk2018`. A map that lies on a region no more than
# an even map would does not point to it (a ratio of 1 in {numref}`tab-01-overlap`). It
# should rank places as *occlusion* does, which hides a patch of one plane and measures
# again. The map of the same network with *shuffled weights* must look different: a rank
# correlation near 1 in {numref}`tab-01-map-checks` says that the picture, and not what
# was learned, makes the map. And hiding pixels in the order of a map must move the
# answer faster than hiding them in the order of a map as coarse whose values are drawn
# at random ({numref}`fig-01-deletion`).

# %% mystnb={"table": {"name": "tab-01-map-checks", "caption": "Rank correlation of the maps with occlusion, and with the map of shuffled weights: means over the fetuses where it is defined."}}
checks = maps.checks_table(seen, p)
run.save_table(checks, "map_checks", "Maps against occlusion and chance.")
checks.style.hide().format(precision=2)

# %% mystnb={"figure": {"name": "fig-01-deletion", "caption": "Change of the predicted age while pixels are hidden in the order of a map, or at random."}, "image": {"alt": "Curves of the change of predicted age against the share of hidden pixels."}}
share, changes = maps.deletion(seen, fits[0], p)
figure = agreement.change_curves(
    share,
    changes,
    "share of the pixels that is hidden",
    "change of the age (days)",
)
run.save_figure(
    figure,
    "deletion",
    "Change of the age while pixels are hidden.",
    "Deletion curves of two maps and a random order.",
)

# %% tags=["remove-input"]
said = deletion_verdict(share, changes, "random", "days")
Markdown(f"{said} {len(seen)} fetuses are few: a small lead may be chance.")

# %% [markdown]
# ## What the source's own protocol would have reported
#
# Same data, same network, same settings, the source's way: folds over slices,
# stratified by week, and the held-out fold itself picks the epoch; `leak_folds` of its
# folds are trained, from `source_trainings` seeds. The honest row of
# {numref}`tab-01-leak` scores *the same samples*, slice by slice, by networks that did
# not know the fetus. The source's way also trains on the part that an honest fold sets
# aside to stop by, so that the difference holds the leak, the choice of the epoch, and
# more samples to learn from.

# %% mystnb={"table": {"name": "tab-01-leak", "caption": "The source's protocol and nested folds on the same samples; from and to: 95 % interval of the MAE over fetuses."}}
reenacted = leak.reenact_leak(run, brains, held_out, folds)
rows = leak.leak_rows(reenacted, p.seed)
for row in rows:
    run.add_result(**row)
leak.add_inflation(run, reenacted)
protocols = leak.leak_table(rows)
run.save_table(protocols, "leak", "The source's protocol and nested folds.")
protocols.style.hide().format(precision=3)

# %% tags=["remove-input"]
Markdown(leak.inflation_text(reenacted, p.n_folds, p.seed))

# %% [markdown]
# The published ladder {cite:p}`shen2022,hasan2024,hong2021` stands beside it in
# {numref}`fig-01-ladder`. Its data sets differ, so that it suggests and does not prove;
# the two bars on top are the same data.

# %% mystnb={"figure": {"name": "fig-01-ladder", "caption": "Error of both protocols on the same samples (blue, with 95 % intervals), and published errors on other data (grey)."}, "image": {"alt": "Bars of mean absolute error for two protocols and three publications."}}
numbers = protocols[["MAE (d)", "from", "to"]].to_numpy()
measured = dict(zip(protocols["protocol"], numbers, strict=True))
figure = plots.ladder_figure(measured, leak.PUBLISHED)
run.save_figure(
    figure,
    "ladder",
    "Error of both protocols, and published errors.",
    "Bars of mean absolute error.",
)

# %% [markdown]
# ## One plane, two, three
#
# With `ablation=true` the first fold is trained on each plane alone and on two; with
# `width=1`, as in `full`, also with the other backbones that take pictures of this
# size. One fold tests few fetuses, and several choices are compared at once: mind the
# intervals, one of which may miss 0 by chance. *Worse* compares the same fetuses with
# this run's own network.

# %%
if p.ablation:
    fewer = report.ablation(run, brains, folds[0], fits[0])
    run.save_table(fewer, "ablation", "Planes and backbones.")
    display(fewer.style.hide().format(precision=1))
else:
    display(Markdown("Not part of this run: `ablation` is false."))

# %% [markdown]
# ## Outside its data
#
# With `external_data=PATH` the mean of all folds' networks meets fetuses that had
# no part in the training, such as templates of a spina bifida atlas: brains with a
# disease, whose age it should not be trusted with. `mean` answers the mean age of the
# fetuses above: an error near its own says that nothing was read off the pictures.
# Templates of one atlas share fetuses and stand for none: they have no interval, and are
# no score of fetuses. {numref}`tab-01-flow` counts who was in.

# %% mystnb={"figure": {"name": "fig-01-external", "caption": "Predicted against true age of held-out fetuses, and of those of another set."}, "table": [{"name": "tab-01-external", "caption": "Fetuses of another set, each with its true and its predicted age."}, {"name": "tab-01-external-results", "caption": "Fetuses of another set, all models, with 95 % intervals over fetuses; templates of one atlas have none."}], "image": {"alt": "Scatter plot of predicted against true age for both sets."}}
if p.external_data:
    outside = external.score_external(run, brains, fits)
    run.save_table(outside, "external", "Fetuses of another set.")
    display(outside.style.hide().format(precision=1))
    shipped = external.score_shipped(run)
    run.save_table(shipped, "external_shipped", "The shipped model.")
    scores = report.results_table(run.rows, p, "external")
    display(scores.style.hide())
    figure = plots.outside_figure(days, pred, outside)
    run.save_figure(
        figure,
        "external",
        "Held-out fetuses, and those of another set.",
        "Predicted against true age for both sets.",
    )
else:
    shipped = None
    display(Markdown("Not part of this run: `external_data` names no set."))

# %% mystnb={"table": {"name": "tab-01-flow", "caption": "Who was in this run, and why others were not: samples or scans, and fetuses."}}
flow = external.external_flow(run, fetuses, shipped)
run.save_table(flow, "flow", "Who was in, who was not and why.")
flow.style.hide()

# %% [markdown]
# ### Right and wrong fetuses
#
# The fetuses of the folds whose age the network tells worst, then some over all others;
# on the page they can be sorted. Look for what the wrong ones share: an age near the ends
# of the range, from which answers are pulled to the middle.

# %% tags=["hide-input"]
middles = brains.table[middle].set_index("subject").index
names = result["subject"].tolist()
tiles = age_tiles(
    names,
    days,
    pred,
    half,
    lambda i: brains.images[middle][middles.get_loc(names[i]), ..., 0],
    "days",
)
caption = "Held-out fetuses: the worst told, then some over all the others."
run.save_gallery(tiles, "fetuses", caption)

# %% [markdown]
# ### The shipped model, of any contrast
#
# A network of phantoms has one contrast, one kind of background and one idea of how a
# brain looks; that is why it fails elsewhere. The model that `fetal-lib predict ga`
# answers with without `--model` goes another way. Two small networks *find the brain*.
# They learnt from label maps of phantoms and of the spina bifida atlas, the way of
# SynthSeg {cite:p}`billot2023`: each step paints brains anew, with tissues of any grey,
# a bias field, noise, blur, and a background that is absent, a halo, or a womb. Then
# the *shape* tells an age, its size taken away: ridge regression on where the ranks of
# the brain's grey values lie and how much they vary there. And the *volume* tells one:
# the age at which a head of INTERGROWTH's norm holds it
# {cite:p}`papageorghiou2014growth`. The weights of both come from held-out brains with
# head sizes drawn from the norm.
#
# The results on the set of `external_data` hold the shape alone (`any_contrast_shape`),
# the volume alone (`head_volume`) and both (`any_contrast`). They are an answer only on
# a set that the model did not learn from: of the spina bifida atlas, its card has the
# rows of the templates that each half of the model had not seen.

# :::{warning}
# Its interval was set on templates drawn anew and holds for reconstructions like them. It
# has seen no single real fetus; a small brain is read as young. It dates no pregnancy.
# :::

# %% tags=["remove-input"]
if p.external_data:
    display(Markdown(external.predicted_text(shipped, p.seed)))

# %% [markdown]
# ### From raw stacks, without a reconstruction
#
# A scanner gives stacks of thick slices, between which the fetus moves, some slices
# without signal, the head askew in the womb. A reconstruction makes one sharp volume of
# them. What is an age worth that does without? Phantoms are scanned in three such stacks
# each, and the shipped model is shown each stack: with the true mask of the brain; with
# *poor* slices, darker in the brain than their neighbours, replaced by what lies between
# them; with a mask that reaches 3 mm too far; and with the mask that the shipped *finder
# of stacks* gives among skull and womb ({numref}`tab-01-stacks`). The finder, a small
# U-Net of slices, learnt from phantoms alone, painted in any contrast by another hand
# than these stacks. The Dice of a mask says how far off it is, the bias whether ages
# are told too old (+) or too young. The last row looks at no image: it asks the norm
# of the shipped model for the age of the true volume.

# %% mystnb={"table": {"name": "tab-01-stacks", "caption": "Ages from raw stacks of phantoms by the shipped model, with 95 % intervals over fetuses: each stack by itself, and the median of a fetus' three."}}
stacks = raw_stacks.stack_ages(run)
shown = raw_stacks.stack_table(run, stacks)
run.save_table(stacks, "stacks", "What is told of each raw stack.")
run.save_table(shown, "stack_scores", "Ages from raw stacks.")
shown.style.hide()

# %% tags=["remove-input"]
words = (raw_stacks.slices_text, raw_stacks.found_text, raw_stacks.bias_text)
display(*(Markdown(text(stacks)) for text in words))

# %% [markdown]
# So the true mask is not too tight: the model sees nearly all of the brain in it. Its ages
# are young because the norm's are. INTERGROWTH measures heads on ultrasound around the
# outside of the skull; the phantoms' volumes, within the skull, follow charts from MRI, and
# the two do not agree. A mask that is 3 mm too wide holds skull and scalp and makes up for
# it here, not in life: the norm fits the masks of atlases as they are. The finder
# therefore learnt the inside of the skull; where its ages are less young than those of
# the true mask, its masks are a little wide.
# `fetal-lib predict ga --raw-stacks` reads stacks this way. No stack of a real fetus has
# been tried, and in one the head may lie any way round, which the shape does not allow.

# %% [markdown]
# A reference run that met such a set is kept with the book: its record, every number
# and every figure ({numref}`tab-01-real`). It stands here whatever this page was run on.

# %% tags=["remove-input"]
Markdown(report.outside_text(published_runs("01_gestational_age")))

# %% mystnb={"table": {"name": "tab-01-real", "caption": "Reference runs on sets that they never learnt from, with 95 % intervals over fetuses, of which templates have none; MAE in days. Coverage: the share of ages inside intervals of 90 %."}} tags=["hide-input"]
scores = ["mae_days", "r2", "coverage"]
reference = reference_table("01_gestational_age", scores, part="external")
order = ["data", "model", *scores, "n", "learnt from", "run"]
reference.reindex(columns=order).fillna("–").style.hide()

# %% [markdown]
# ## Saving the model
#
# The networks of all folds are saved together; `fetal-lib predict ga` averages them,
# draws what they looked at, and declines what does not look like their training.

# %%
if p.save_model:
    saved = save.save_model(run, brains, fits, result)

# %% tags=["remove-input"]
if p.save_model and p.external_data:
    said = external.predict_external(p, saved)
    run.save_table(said, "external_predict", "What `predict ga` says of them.")
    told = external.predicted_text(said, p.seed)
    display(Markdown(f"On the other set, {told}"))
run.finish()

# %% [markdown]
# ## Limits and intended use
#
# - **Not for clinical use.** Research and teaching only.
# - Ages of real fetuses come from the last menstrual period or an early scan and are
#   themselves off by days; a phantom's age is exact.
# - Phantoms fold by a published timetable, sulci other than the primary ones at
#   random; their errors say nothing about real fetuses.
# - The inner validation part also picks the epoch: it is not used for intervals.
# - The recipe of the default run (slices, epochs, no augmentation) was chosen on
#   fetuses of another seed, but after the leak had been too small to see on these
#   ones: of all numbers here, trust the inflation least.
# - With the size normalised away, sharpness and outlines are alike in all brains, but the
#   noise is not quite: a large brain has more voxels to a pixel.
#
# ## Key points
#
# 1. Fold over fetuses, not slices.
# 2. Choose the epoch inside the training part.
# 3. Show a baseline that knows only the size.
# 4. A gate is not an explanation until it has passed the checks.
#
# ## Parameters to try
#
# | change | what to expect |
# |---|---|
# | `size_normalised=false` | size may inform the age |
# | `augment=true` with more epochs | a leak is harder to see: no slice is seen twice as it is |
# | `planes=axial` | one plane instead of three |
# | `ablation=true` | all choices of planes, on one fold |
# | `backbone=resnet50`, with `width=1`, `batch_norm=false`, `n_pools=5`, `fine_tune_last=200` | another network; of its 175 layers, 100 would leave random ones frozen |
# | `backbone=xception` with the same, and `image_size=71` or more | another network |
# | `data=ATLAS`, `external_data=OTHER_ATLAS` | trained on one atlas, tested on another |
# | `external_data=PATH` | templates of a disease, or another cohort |
# | `profile=full` | the source's recipe at its published size |
#
# ## How to cite
#
# Cite this compendium (`CITATION.cff`), {cite:t}`shen2022` and the network
# {cite:p}`simonyan2014vgg`.
