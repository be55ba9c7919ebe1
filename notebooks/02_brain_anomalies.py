# %% [markdown]
# # Sixteen fetal brain classes on ultrasound
#
# | | |
# |---|---|
# | **Task** | tell fifteen anomalies of the fetal brain, and a normal one, apart on one ultrasound image |
# | **Data** | phantoms (default), or a collection of sixteen classes {cite}`roboflow2023brain`, CC BY 4.0 |
# | **Models** | CNN (20,962,064 parameters at its published setting), separable CNN (612,185), Xception (20,894,264), all Keras |
# | **Source** | project 001; Xception after {cite:t}`chollet2017xception` |
# | **Run time** | some minutes on two CPU cores (`quick`); no GPU is needed |
# | **Status** | runs whole; the public collection has some two hundred distinct pictures and names no patients |
#
# An anomaly scan ends in a name: ventriculomegaly, a cyst, a brain that did not
# divide. Some are common, some a sonographer sees once in a career. This chapter
# lets three networks name them, and asks of each answer how far it can be
# trusted.
#
# **What to take away.** In a real collection a few classes are common and the rest
# rare: accuracy then hides the rare ones, and their intervals are wide. What a
# network learnt *before* may count for more than how it is built. A confidence is
# a number to be *tested*. And a network that may say "one of these two", or "I
# don't know", is worth more than one that always names something.

# %% tags=["parameters"]
profile = "quick"
data = "phantom"
seed = 0
refit = False
out = ""
image_size = 64
view = "head"
denoise = "none"
cnn_width = 0.25
separable_width = 1.0
xception_width = 0.25
xception_middle = 1
xception_weights = "measures"
epochs = 14
xception_epochs = 10
fine_tune_epochs = 0
fine_tune_learning_rate = 0.0005
separable_epochs = 14
batch_size = 32
learning_rate = 0.001
xception_learning_rate = 0.003
ema = 0.0
schedule = "cosine"
balance = "weights"
label_smoothing = 0.05
augment = True
precision = "float32"
n_phantoms = 1000
marks = True
test_fraction = 0.15
val_fraction = 0.15
coverage = 0.9
target_accuracy = 0.95
accepted = 0.95
search_trials = 0
search_networks = "separable_cnn"
search_epochs = 4
cv_folds = 0
cv_epochs = 6
cv_filters = False
few_repeats = 0
source_epochs = 8
source_trainings = 1
source_networks = "separable_cnn"
source_folds = 5
source_wide_epochs = 8
external_data = ""
save_model = True

# %% tags=["hide-input"]
import os

import pandas as pd
from IPython.display import Markdown, display

from fetal_lib.models.anomaly_cnns import LABELS as NETWORK_NAMES
from fetal_lib.plots import (
    agreement, anomaly_images, classification, confidence, heads,
)
from fetal_lib.plots.audit import audit_figure, pairs_figure
from fetal_lib.training.history import read_history
from fetal_phantoms.anomalies.labels import LABELS

# %% tags=["hide-input"]
from fetal_book.chapters.brain_anomalies import (
    checks, clashes, cutoffs, decide, explain, few, few_tables, fit, folds,
    leak_steps, rankings, report, search,
)
from fetal_book.chapters.brain_anomalies import data as images
from fetal_book.chapters.brain_anomalies import scores as score
from fetal_book.chapters.brain_anomalies import starts, strange
from fetal_book.chapters.brain_anomalies.case_tiles import answer_tiles
from fetal_book.chapters.tables import pretty, ranking, results_table
from fetal_book.runs.session import open_run

run = open_run("02_brain_anomalies", globals())
p = run.parameters

# %% tags=["remove-cell"]
Markdown(run.banner())

# %% [markdown]
# ## The question, and what the source reports
#
# Source 001 trains three networks on 64 × 64 grey images of sixteen classes. Its
# console log says an accuracy of 0.829 for the CNN and 0.808 for the separable
# CNN, each on 193 test images, and 0.950 for Xception, on 180 *others*. Its
# README says that the separable CNN outperformed the CNN.
#
# Two things stand before any of these numbers. Rare classes were copied, up to
# fifty images each, **before** the split; and the images had been augmented
# before they were shared, which their names still tell. A copy of a test image
# may have been a training image.
#
# We ask: how well can the three networks name the class for patients that they
# have not seen, on the same test images for all three, and how much of the
# answer's confidence is real? On phantoms, which are the default, the answer is
# about methods only: made-up brains say nothing about patients.
#
# ## Data
#
# One table of cases ({numref}`tab-02-first-rows`) for phantoms and for every format that
# the public sets come in (folders, one-hot tables, COCO, YOLO). A list of known
# misspellings puts the classes right. The *source image* is the one that a case was cut
# or augmented from, as far as file names tell.

# %% mystnb={"table": {"name": "tab-02-first-rows", "caption": "First rows of the table of cases: image, class, patient, source image and part."}} tags=["hide-output"]
folder = images.find_data(p)
cases = images.read_views(run, folder)
cases = images.split_cases(cases, p)
run.data_fingerprint = images.fingerprint(cases)
first = cases.table[["image", "label", "subject", "source_stem", "part"]]
pretty(first.head())

# %% tags=["remove-input"]
Markdown(report.data_words(cases, p.view))

# %% [markdown]
# Sonographers zoom and turn as the moment asks. With `view=head` a small network,
# shipped and trained on real heads and on phantoms of another seed, finds the
# skull; the scan is turned so that the head lies level, cut around it, and
# stretched in the grey values of the brain. That is normalisation in the frame of
# the patient, and it uses nothing that a label would tell. Which end is the
# forehead stays open. Where no head is found, the middle of the scan is taken.
#
# Such a view has lost its millimetres, and *mild*, *moderate* and *severe* are
# millimetres. Scanners print a scale beside the image; so does this view: the
# white bar at the lower edge is 50 mm long, where the pixel size is known.
#
# {numref}`fig-02-data` has one image of each class. Where a phantom has its anomaly is
# outlined in green; classes that are a *lack* of something have it where the missing
# part would be.

# %% mystnb={"figure": {"name": "fig-02-data", "caption": "One image of each class; the anomaly is outlined where it is known."}, "image": {"alt": "Sixteen ultrasound images of fetal brains, one a class, with the anomaly outlined."}}
pick = images.one_of_each(cases, p.seed)
figure = heads.gallery(
    cases.images[pick],
    None if cases.lesions is None else cases.lesions[pick],
    [images.pretty_label(LABELS[k]) for k in cases.labels[pick]],
    [(1, cases.aspect)],
)
run.save_figure(
    figure,
    "data",
    "One image of each class.",
    "Sixteen ultrasound images of fetal brains, one a class.",
)

# %% [markdown]
# ## Split and leak audit
#
# Whole patients are dealt to training, validation and test, stratified by class
# ({numref}`fig-02-counts`). Where a collection names no patients, the source image
# stands in: its augmented copies stay together. The validation part chooses
# hyper-parameters and sets temperature and limits. The test part chooses nothing, and it is
# **the same for all models**. What could leak all the same is in
# {numref}`tab-02-leak-audit` and {numref}`fig-02-audit`. The phantoms have about as many
# images of each class; the public collection has hundreds of one class and a handful of
# another {cite:p}`roboflow2023brain`.

# %% mystnb={"figure": {"name": "fig-02-counts", "caption": "Images of each class in the three parts."}, "image": {"alt": "Stacked bars of the images of each class by part, the commonest class at the top."}}
counts = images.class_counts(cases)
run.save_table(counts, "class_counts", "Images and patients of each class.")
counts["class"] = counts["class"].map(images.pretty_label)
figure = classification.class_counts_figure(counts)
run.save_figure(
    figure,
    "counts",
    "Images of each class and part.",
    "Stacked bars of the images of each class by part.",
)

# %% mystnb={"table": {"name": "tab-02-leak-audit", "caption": "What could leak: each check, what it found, and the verdict."}}
columns = ["image", "label", "subject", "part"]
run.save_table(cases.table[columns], "split", "The split.")
leaks = report.audit(cases)
run.save_table(leaks.findings, "leak_audit", "What could leak.")
pretty(leaks.findings[["check", "finding", "verdict"]])

# %% mystnb={"figure": {"name": "fig-02-audit", "caption": "The leak audit: how strong each clue is, and, where there are any, the images on two sides that look most alike."}, "image": {"alt": "Strength of each leak check between 0 and 1, with verdicts."}}
figure = audit_figure(leaks)
run.save_figure(
    figure,
    "audit",
    "The leak audit.",
    "Strength of each leak check between 0 and 1, with verdicts.",
)

# %% [markdown]
# On a public set of normal and abnormal heads (`fetal_us_abnormalities` in
# `data_manifests`, read by file names as these classes), the same audit finds one picture
# under two classes and in two parts: images were augmented before they were shared. And
# its "normal" images come from another source than the anomalies, so that a network can do
# well by the look of the machine and not of the brain.
#
# ### One picture, two names
#
# Where names do not tell patients, a perceptual hash joins the cases that share a picture.
# A picture under two class names cannot be named right under
# both: either a brain can have two anomalies, and the classes do not exclude each other, or
# one name is wrong.

# %% mystnb={"figure": {"name": "fig-02-clashes", "caption": "Pictures that stand in the set under two class names: files, classes, and how many bits of their hashes differ."}, "image": {"alt": "Pairs of ultrasound images that look the same, with two different class names each."}}
pairs, shown = clashes.name_clashes(cases)
run.save_table(pairs, "clashes", "One picture under two class names.")
if len(pairs):
    figure = pairs_figure(pairs, shown)
    run.save_figure(
        figure,
        "clashes",
        "Pictures under two class names.",
        "Pairs of images that look the same, with two class names each.",
    )

# %% tags=["remove-input"]
Markdown(clashes.clash_words(cases, pairs))

# %% [markdown]
# ## Baselines: how far one gets without a network
#
# *Commonest class* looks at nothing. *Grey histogram* knows brightness,
# *border only* the outer eighth of the picture, where text and the mother are
# (and the scale bar), and *edges* is a logistic regression on histograms of oriented
# gradients {cite:p}`dalal2005hog`. {numref}`tab-02-baselines` has what the networks must
# beat; its columns are explained with the results below.

# %% mystnb={"table": {"name": "tab-02-baselines", "caption": "Test part, without a network, with 95 % intervals over patients."}}
train, val, test = (cases.part(part) for part in ("train", "val", "test"))
for name, probs in checks.baseline_probs(train, test, p.seed).items():
    for row in score.summarise(
        test.labels, probs, test.groups, name, "test", p.seed
    ):
        run.add_result(**row)
pretty(results_table(run.rows, report.SHOWN))

# %% [markdown]
# ## Noise reduction and filtering
#
# The source promises noise reduction and shows none. Four filters are compared
# ({numref}`tab-02-filters`, {numref}`fig-02-filters`): median, bilateral, non-local
# means, and the anisotropic diffusion that was made for speckle
# {cite:p}`yu2002srad`. *Speckle* is the spread over the mean in
# small windows; *contrast* that of the anomaly with its surroundings over the
# noise of both; *edges kept* the slope of the grey values at the anomaly's rim, as a share
# of that without a filter. Whether a *network that was trained with a filter* names better
# is asked under *Cross-validation*.

# %% mystnb={"table": {"name": "tab-02-filters", "caption": "Filters compared on the validation part; the time is that of this machine."}}
filters = checks.filter_table(val)
timed = "ms an image"
run.save_table(filters.drop(columns=timed), "filters", "Filters compared.")
pretty(filters)

# %% mystnb={"figure": {"name": "fig-02-filters", "caption": "One validation image through each filter."}, "image": {"alt": "The same ultrasound image unfiltered and through four filters."}}
shown = checks.filtered_examples(val.images[0])
figure = heads.gallery(
    list(shown.values()),
    None,
    list(shown),
    [(1, cases.aspect)],
    n_columns=len(shown),
)
run.save_figure(
    figure,
    "filters",
    "One image through each filter.",
    "The same ultrasound image unfiltered and through four filters.",
)

# %% [markdown]
# A filter that makes a picture look cleaner need not make it easier to classify. The
# networks below get `denoise`, by default nothing.
#
# ## Three networks
#
# The CNN has four 3 × 3 convolutions and three wide dense layers, which hold
# most of its parameters. The separable CNN splits each convolution into one
# filter a channel and a mixing of channels; on *one* grey channel its first
# layer has therefore **one** spatial filter, and all its 32 maps are multiples
# of the same picture. Xception stacks separable convolutions with shortcuts
# {cite:p}`chollet2017xception`. `quick` narrows two of them and gives Xception one
# middle module of eight, which at 64 pixels sees 4 × 4 places. A *MAC* in
# {numref}`tab-02-networks` is one multiplication with its addition, counted for one image.

# %% mystnb={"table": {"name": "tab-02-networks", "caption": "The three networks at their published setting and in this run."}}
layers = fit.layer_table(p)
run.save_table(layers, "networks", "The three networks.")
for row in layers[layers["setting"] == "this run"].itertuples():
    run.add_result(
        model=row.network,
        split="all",
        metric="params",
        value=int(row.parameters),
    )
pretty(layers)

# %% [markdown]
# ## Hyper-parameter search
#
# Optuna {cite:p}`akiba2019optuna` tries learning rate, label smoothing, balance and dropout
# of the networks that `search_networks` names; the first trial is the default. Training
# patients train, validation patients judge, and the test part is not seen. A best trial is best by chance too, the more so the more trials
# there are and the fewer patients judge. Xception is searched for from random weights.

# %% mystnb={"table": {"name": "tab-02-search", "caption": "The search: macro-F1 on validation of the default and of the best trial, and what that trial had."}}
trials = search.search_networks(run, train, val)
choices = search.choices_of(trials)
if trials:
    tried = search.trials_table(trials)
    run.save_table(tried, "search", "Trials of the search.")
    display(pretty(search.search_table(trials)))
else:
    display(Markdown("No search was asked for (`search_trials=0`)."))

# %% [markdown]
# ## Training
#
# Cross-entropy, Adam, random flips, small rotations and shifts ({numref}`fig-02-curves`; a
# network whose class layer alone was fitted has no curve). Rare classes weigh more in the
# loss, or are drawn more often: both inside the training part. The scale bar keeps its
# place, and is hidden from one training image in seven, so that a scan without a pixel
# size can be answered too. An image is answered by the mean over itself and its three
# mirror images. A fit is resumed after a crash, and reused when nothing that it depends on
# has changed. Each network is trained **once**: the intervals below are about other
# patients, not about another seed.

# %%
scored, histories = {}, {}
for name, arguments in fit.network_arguments(p, choices).items():
    settings = fit.fit_settings(p, name, cases.aspect, choices.get(name))
    done = fit.fit_network(run, name, train, val, arguments, settings)
    network = fit.fitted_network(name, arguments, done.folder)
    scored[name] = decide.score_network(name, arguments, network, cases, p)
    histories[NETWORK_NAMES[name]] = read_history(done.folder)
    run.add_result(
        model=name, split="train", metric="train_s", value=done.train_s
    )
best = decide.best_on_validation(scored, val)

# %% [markdown]
# ### What the start is worth
#
# The source starts Xception from ImageNet, whose weights need the published width and a
# download (`xception_weights=imagenet`). `quick` starts from shipped weights: a network of
# the same shape learnt to **measure** thousands of other phantoms, the width of the atria,
# the depth of the cisterna magna, the length of a cyst. It saw no patient of this run. On its
# frozen features the class layer alone is fitted; `fine_tune_epochs` would train all layers
# from there {cite:p}`kumar2022finetuning`.
#
# On phantoms that is **no fair start**: the same generator drew both sets, and the measures
# all but name some classes, since only an arachnoid cyst has the length of a cyst, and
# ventriculomegaly *is* a width in mm. So Xception is trained from random weights too, as the
# two CNNs are, for `xception_epochs`. {numref}`tab-02-starts` has both, and *that* one is to
# be compared with the CNNs. On real scans the same question is asked under *What few
# pictures allow*.

# %%
random_start, rows = starts.train_random_start(run, cases, choices)
histories["Xception, random start"] = rows

# %% mystnb={"figure": {"name": "fig-02-curves", "caption": "Cross-entropy of training (dashed; its images are augmented, its classes weighted, its targets smoothed, so that it may lie above) and validation, and macro-F1 on validation."}, "image": {"alt": "Curves of loss and macro-F1 over epochs for each network that was trained."}}
figure = classification.training_curves(histories)
run.save_figure(
    figure,
    "curves",
    "Loss and macro-F1 over epochs.",
    "Curves of loss and macro-F1 over epochs for each trained network.",
)

# %% [markdown]
# ## Results on the test part
#
# Macro-F1 is the mean of the classes' F1, so a class with three images counts as
# much as one with sixty. Precision, recall and `auc_macro`, the area under the ROC curve,
# are means over classes too; `auc_micro` pools all pairs of an image and a class. `ece` is
# how far confidence and accuracy lie apart (see *Is the confidence real?*). *n* counts
# images; intervals are 95 % bootstrap intervals over patients, drawn within classes.
# {numref}`tab-02-results` has all measures, {numref}`fig-02-comparison` ranks the
# models. *Xception* there has the start named above; compare *Xception, random start* with
# the two CNNs.

# %% mystnb={"table": {"name": "tab-02-results", "caption": "Test part, all models, with 95 % intervals over patients."}}
for name, s in scored.items():
    for row in score.summarise(
        test.labels, s.test_probs, test.groups, name, "test", p.seed
    ):
        run.add_result(**row)
results = results_table(run.rows, report.SHOWN)
run.save_table(results, "results", "Test part, all models.")
pretty(results)

# %% mystnb={"table": {"name": "tab-02-starts", "caption": "Xception from the weights of this run and trained from random ones (none): macro-F1 on the test part, with 95 % intervals over patients."}}
start_scores = starts.starts_table(run)
run.save_table(start_scores, "starts", "What the start is worth, test part.")
pretty(start_scores)

# %% mystnb={"figure": {"name": "fig-02-comparison", "caption": "Macro-F1 of each predictor on the same test images, with 95 % intervals."}, "image": {"alt": "Macro-F1 of baselines and networks with intervals."}}
ranked = ranking(run.rows, "macro_f1").replace(report.PREDICTORS)
figure = agreement.model_comparison(ranked, "macro-F1, test part")
run.save_figure(
    figure,
    "comparison",
    "Macro-F1 of each predictor.",
    "Macro-F1 of baselines and networks with intervals.",
)

# %% [markdown]
# The networks are compared on the **same** images, draw by draw
# ({numref}`tab-02-paired-differences`; *a is better* is the share of draws in which a scores
# higher, not a probability that it is the better network). An interval of a difference that
# holds zero says: this test part cannot tell which is better. Class by class,
# {numref}`fig-02-classes` shows how wide intervals are with so few images of a class; where
# a class has no error, or a single patient, its interval shrinks to a point, because a
# bootstrap cannot draw errors and patients that it has not seen. {numref}`fig-02-confusion`
# and {numref}`tab-02-most-confused` show what is taken for what.

# %% mystnb={"table": {"name": "tab-02-paired-differences", "caption": "Differences of macro-F1 on the same test images, a minus b, with 95 % intervals."}} tags=["hide-output"]
predicted = {name: s.test_probs for name, s in scored.items()}
predicted |= random_start
pairs = score.compare_models(test.labels, predicted, test.groups, p.seed)
run.save_table(pairs, "paired_differences", "Differences of macro-F1.")
pretty(pairs)

# %% mystnb={"figure": {"name": "fig-02-classes", "caption": "F1 of each class with 95 % intervals over patients; the number of test images in brackets."}, "image": {"alt": "F1 of each class for three networks with intervals."}}
tables = report.class_tables(scored, test, p.seed)
for name, table in tables.items():
    label = name.lower().replace(" ", "_")
    run.save_table(table, f"classes_{label}", f"Classes: {name}.")
figure = classification.class_scores_figure(tables)
run.save_figure(
    figure,
    "classes",
    "F1 of each class.",
    "F1 of each class for three networks with intervals.",
)

# %%
Markdown(
    "Best on validation, and looked at from here on: "
    f"**{NETWORK_NAMES[best]}**."
)

# %% mystnb={"figure": {"name": "fig-02-confusion", "caption": "Confusion matrix of the network that is best on validation; numbers are test images, shades the share of the true class."}, "image": {"alt": "Confusion matrix of the classes with counts: true classes in rows, predicted ones in columns."}}
confusion, names = report.confusion_of(scored[best], test)
run.save_table(
    pd.DataFrame(confusion, index=names, columns=names),
    "confusion",
    "Confusion matrix, test part.",
)
figure = classification.confusion_figure(confusion, names)
run.save_figure(
    figure,
    "confusion",
    "Confusion matrix.",
    "Confusion matrix of the classes with counts.",
)

# %% mystnb={"table": {"name": "tab-02-most-confused", "caption": "The classes that are most often taken for another, test part."}}
pretty(report.most_confused(scored[best], test))

# %% [markdown]
# ### Right and wrong scans
#
# The wrong answers that were given most surely, then some right ones, as the network
# sees them; on the page they can be sorted. Look for classes that differ in
# millimetres alone, and for answers that the frame of a picture would explain.

# %% tags=["hide-input"]
tiles = answer_tiles(test, scored[best].test_probs)
caption = "Test images: the surest wrong answers, then some of the right ones."
run.save_gallery(tiles, "scans", caption)

# %% [markdown]
# ### Classes that are millimetres
#
# Mild, moderate and severe ventriculomegaly are *one* measure, the width of the
# lateral ventricle, cut at 10, 12 and 15 mm {cite:p}`gaglioti2005`. An image
# without a pixel size does not say how wide 12 mm is, and confusion of
# neighbours is to be expected. {numref}`tab-02-ruler` has the same networks with the
# scale bar made black; the last column is the mean F1 of these three classes. Where it
# hardly changes, a network has not learnt to read the bar. The start `measures` was taught
# to: millimetres are among what it measures.

# %% mystnb={"table": {"name": "tab-02-ruler", "caption": "Macro-F1 with and without the scale bar, test part; ventriculomegaly is the mean F1 of its three classes."}}
ruler = checks.ruler_table(scored, test, p.seed)
run.save_table(ruler, "ruler", "With and without the scale bar, test part.")
pretty(ruler)

# %% [markdown]
# ### ROC and precision-recall
#
# Each class against the rest ({numref}`fig-02-roc`). A rare class can have a large area
# and still be useless: among many unaffected, even few false alarms outnumber the affected. That
# is what precision over recall shows ({numref}`fig-02-mean-roc`), for classes as frequent
# as they are in this test part.

# %% mystnb={"figure": {"name": "fig-02-roc", "caption": "ROC curve of each class against the rest, with the 95 % band over patients, the area with its interval, and the number of test images of the class."}, "image": {"alt": "Small ROC curves of all classes with bands and areas."}}
figure = classification.roc_grid(report.roc_bands(scored[best], test, p.seed))
run.save_figure(
    figure,
    "roc",
    "ROC curve of each class.",
    "Small ROC curves of all classes with bands and areas.",
)

# %% mystnb={"figure": {"name": "fig-02-mean-roc", "caption": "Micro-averaged ROC and precision-recall curves of the three networks, all pairs of an image and a class pooled; the legend has both areas under the ROC curve."}, "image": {"alt": "ROC and precision-recall curves of three networks."}}
figure = classification.mean_roc_figure(
    *report.micro_curves(scored, test, run.rows)
)
run.save_figure(
    figure,
    "mean_roc",
    "Micro-averaged ROC and precision-recall curves.",
    "ROC and precision-recall curves of three networks.",
)

# %% [markdown]
# ### Cut-offs chosen by ROC
#
# For a question about *one* class, one half is no natural cut-off. Youden's
# {cite:p}`youden1950`, where sensitivity plus specificity is largest, is taken on validation
# and used on test ({numref}`tab-02-cutoffs`). For screening ("anything but normal") the
# cut-off keeps 95 % sensitivity on validation ({numref}`tab-02-screening`).
#
# A *positive predictive value*, the share of the alarms that are right, belongs to a mix of
# affected and unaffected. Where nearly all of the test part is affected, as here and in no
# clinic, it says little; so the table also has the value that the same sensitivity and
# specificity would give if few were affected. Its intervals of shares count each patient once
# (Wilson's): several images of one patient are no new evidence.

# %% mystnb={"table": {"name": "tab-02-cutoffs", "caption": "Each class against the rest at one half and at the cut-off chosen on validation, test part."}} tags=["hide-output"]
cuts = cutoffs.cutoff_table(scored[best], val, test)
run.save_table(cuts, "cutoffs", "Cut-offs chosen on validation.")
pretty(cuts, 2)

# %%
screening = cutoffs.screening_table(scored[best], val, test, p.seed)
run.save_table(screening, "screening", "Any anomaly against normal, test.")
pretty(screening)

# %% [markdown]
# ### Cross-validation
#
# How much does macro-F1 scatter with the patients, and does a filter against noise help a
# network that was *trained* with it? Folds over the training and validation patients, for
# the separable CNN; the test part stays out. A fold trains for `cv_epochs` only, so read the
# scatter of the folds and the differences between the filters, not the level. A search has seen some of these patients, which may flatter the folds.

# %% mystnb={"table": {"name": "tab-02-folds", "caption": "Cross-validation of the separable CNN over the patients of training and validation."}}
rest = cases.select((cases.table["part"] != "test").to_numpy())
choice = choices.get(folds.NETWORK)
if p.cv_folds:
    held_out = folds.cross_validate(run, rest, choice)
    by_fold = folds.folds_table(run, rest, held_out)
    run.save_table(by_fold, "folds", "Cross-validation, separable CNN.")
    display(pretty(by_fold))
else:
    display(Markdown("No folds were asked for (`cv_folds=0`)."))

# %% mystnb={"table": {"name": "tab-02-trained-filters", "caption": "The separable CNN trained and tested with each filter: macro-F1 over all folds, and what the filter changes, with 95 % intervals over patients (paired for the change)."}}
if p.cv_folds and p.cv_filters:
    filtered = folds.trained_filters(run, rest, choice)
    run.save_table(filtered, "trained_filters", "Networks by filter.")
    display(pretty(filtered))
else:
    display(Markdown("No folds with filters (`cv_filters=False`)."))

# %% [markdown]
# ## Is the confidence real?
#
# A network's softmax is usually too sure, or, after label smoothing, not sure
# enough. One number, the temperature, is fitted on validation
# {cite:p}`guo2017calibration`. Points on the diagonal of {numref}`fig-02-reliability`
# are calibrated; the expected calibration error (ECE) in {numref}`tab-02-calibration` is the
# mean gap, over bins of equal width or of equally many images, and above zero by chance
# alone when images are few. Cross-entropy and Brier score punish a wrong confidence image
# by image; for all four, less is better.

# %% mystnb={"figure": {"name": "fig-02-reliability", "caption": "Reliability of the confidence on the test part, before and after temperature scaling; the area of a point is its number of images."}, "image": {"alt": "Accuracy over confidence before and after temperature scaling."}}
calibration = decide.calibration_table(scored, test)
run.save_table(calibration, "calibration", "Calibration, test part.")
figure = confidence.reliability_figure(
    report.reliabilities(scored[best], test)
)
run.save_figure(
    figure,
    "reliability",
    "Reliability before and after temperature scaling.",
    "Accuracy over confidence before and after temperature scaling.",
)

# %% mystnb={"table": {"name": "tab-02-calibration", "caption": "Calibration of each network on the test part, before and after temperature scaling."}}
pretty(calibration)

# %% [markdown]
# ### "One of these two", and "I don't know"
#
# A *conformal set* holds every class above a probability that validation sets
# {cite:p}`sadinle2019sets`: the true class is in it at least as often as promised, for
# new patients of the same kind ({numref}`tab-02-sets`, {numref}`fig-02-sets`). That is
# proven for one image a patient; with several, and with network and temperature chosen on
# the same validation part, it is an approximation, so it is measured. *Abstention* hands the
# least sure images back until the answers reach an accuracy on validation
# {cite:p}`geifman2017`; on the test part they may miss it ({numref}`tab-02-abstention`).

# %% mystnb={"figure": {"name": "fig-02-sets", "caption": "Sizes of the conformal sets on the test part, and accuracy of the answers over the share that is answered."}, "image": {"alt": "Bars of set sizes with and without the true class; accuracy over share answered."}}
size, inside = decide.sets_of(scored[best], test)
run.add_result(
    model=best,
    split="test",
    metric="coverage",
    value=float(inside.mean()),
    n=len(test),
    ci95=report.coverage_interval(inside, test, p.seed),
)
figure = confidence.sets_figure(
    size, inside, p.coverage, report.risk_curves(scored, test)
)
run.save_figure(
    figure,
    "sets",
    "Conformal sets and abstention.",
    "Bars of set sizes; accuracy over the share answered.",
)

# %% mystnb={"table": {"name": "tab-02-sets", "caption": "Conformal sets of the test part: coverage of all, and by size of the set."}} tags=["hide-output"]
sets = decide.set_table(size, inside)
run.save_table(sets, "sets", "Conformal sets, test part.")
pretty(sets)

# %% mystnb={"table": {"name": "tab-02-abstention", "caption": "Answers that are kept and handed back: chosen on validation, measured on test."}}
abstained = decide.abstention_table(scored[best], val, test, p.target_accuracy)
run.save_table(abstained, "abstention", "Abstention.")
pretty(abstained)

# %% [markdown]
# ### Images that are no fetal brain
#
# Softmax names a class for anything. The distance of an image's features to the
# nearest class {cite:p}`lee2018mahalanobis` has a limit that lets most
# validation images through. {numref}`fig-02-strange` and {numref}`tab-02-strange` have
# fetal abdomens, which look like the right kind of picture, and test scans with their grey
# values inverted or their tiles shuffled, and noise, which do not. *No answer* is the
# share that the model refuses for any of its reasons: no head found, too far, or not sure.

# %% mystnb={"figure": {"name": "fig-02-strange", "caption": "Feature distance of the test part and of images that show no fetal brain; the line is the limit from validation."}, "image": {"alt": "Feature distances by kind of image with the limit."}}
distances, refusals = strange.strangeness(
    scored[best], strange.strange_scans(test, p.seed), test
)
run.save_table(refusals, "strange", "Images that are no fetal brain.")
figure = confidence.strangeness_figure(
    distances, scored[best].model.spec.strange_above
)
run.save_figure(
    figure,
    "strange",
    "Feature distance by kind of image.",
    "Feature distances by kind of image with the limit.",
)

# %% mystnb={"table": {"name": "tab-02-strange", "caption": "The test part, which should be answered, and images that are no fetal brain: share without an answer, share beyond the limit of the distance, share in which a head is found, and the area under the ROC curve against the test part by distance and by low confidence."}}
pretty(refusals)

# %% [markdown]
# In the first line a refusal is an answer lost; in the others, what is *not* refused
# gets a name, with a confidence. A limit that catches all of one kind says nothing of
# the next kind.
#
# ## What does the network look at?
#
# Grad-CAM {cite:p}`selvaraju2017` of the predicted class ({numref}`fig-02-cam`). The
# colours of all maps share one scale, so that a weak map looks weak. Three checks
# ({numref}`tab-02-cam-summary`): the map of *random weights* must look different, with a rank
# correlation near zero (it has none where a map is the same everywhere); the map should lie
# on the anomaly more than the anomaly's area gives (*times chance* is the one over the
# other); and hiding what it marks (*deletion*) must lower the answer faster than hiding places
# at random, and uncovering it (*insertion*) raise it faster: both are mean probabilities of
# the answer on the way.

# %% mystnb={"figure": {"name": "fig-02-cam", "caption": "Test images, the first of their class, above their Grad-CAM maps. Titles give the true class, maps explain the predicted one; the anomaly is outlined where it is known."}, "image": {"alt": "Six ultrasound images above the same images under heat maps, anomaly outlined."}}
explained = explain.explain(scored[best], test, p.seed)
rows = explained.rows
figure = anomaly_images.cam_gallery(
    test.images[rows],
    explained.maps,
    [images.pretty_label(LABELS[k]) for k in test.labels[rows]],
    None if test.lesions is None else test.lesions[rows],
    cases.aspect,
)
run.save_figure(
    figure,
    "grad_cam",
    "Grad-CAM of test images.",
    "Six ultrasound images above their Grad-CAM maps.",
)

# %% mystnb={"table": {"name": "tab-02-cam-summary", "caption": "Checks of the Grad-CAM maps, means over the explained test images."}}
run.save_table(explained.checks, "cam_checks", "Checks of the maps shown.")
run.save_table(explained.summary, "cam_summary", "Checks of the maps, means.")
pretty(explained.summary)

# %% tags=["remove-input"]
Markdown(explain.explained_words(explained.summary))

# %% [markdown]
# ### Text and border
#
# Nothing is trained again. With the outside of the skull *alone*, a network that rests on
# the brain must fall to chance, and one that rests on text, callipers or the mother keeps
# something ({numref}`fig-02-border`): that is the test. With the outside *black*, such a network
# would lose too; but so may an honest one, since no training image had all its surroundings
# black, and since an encephalocele lies outside the skull.

# %% mystnb={"figure": {"name": "fig-02-border", "caption": "Macro-F1 on test images as they are, with the surroundings of the head black, and with nothing but them."}, "image": {"alt": "Bars of macro-F1 for three views of the image and three networks."}}
border = checks.border_table(scored, test, p.seed)
run.save_table(border, "border", "Border black, and border alone.")
figure = classification.border_figure(
    border, [NETWORK_NAMES[name] for name in scored]
)
run.save_figure(
    figure,
    "border",
    "Macro-F1 with and without the border.",
    "Bars of macro-F1 for three networks and three views.",
)

# %% [markdown]
# ## What does a separable convolution save?
#
# The README claims *superior computational performance*. Fewer multiplications need
# not mean less time in proportion: one filter a channel gives a processor little to do
# at once. Measured on this machine, one layer at a time
# ({numref}`tab-02-convolutions`; compare *MAC saved* with *time saved*) and whole networks
# ({numref}`tab-02-costs`; latency is the time of one image, images a second are in batches
# of 32). {numref}`fig-02-cost` says what the cost buys; unless Xception started from random
# weights, its place there is that of its start too.

# %% mystnb={"table": {"name": "tab-02-convolutions", "caption": "One ordinary against one separable 3 × 3 convolution, 16 images, on this machine."}} tags=["hide-output"]
convolutions = checks.convolution_table()
pretty(convolutions, 2)

# %% mystnb={"table": {"name": "tab-02-costs", "caption": "Parameters, operations, memory and speed of whole networks on this machine."}}
networks = {name: s.model.network for name, s in scored.items()}
costs = checks.efficiency_table(networks, p.image_size)
for row in costs[costs["setting"] == "this run"].to_dict("records"):
    run.add_result(
        model=row["network"],
        split="all",
        metric="images_per_s",
        value=row["images a second"],
    )
pretty(costs, 2)

# %% mystnb={"figure": {"name": "fig-02-cost", "caption": "Macro-F1 of the networks of this run over parameters, multiply-accumulates and latency."}, "image": {"alt": "Macro-F1 over three measures of cost for three networks."}}
here = costs[costs["setting"] == "this run"].replace(NETWORK_NAMES)
f1 = {
    label: report.value_of(run.rows, name, "macro_f1")
    for name, label in NETWORK_NAMES.items()
}
figure = classification.cost_figure(here, f1)
run.save_figure(
    figure,
    "cost",
    "Macro-F1 over cost.",
    "Macro-F1 over three measures of cost for three networks.",
)

# %% [markdown]
# ## What few pictures allow
#
# A real collection here has some two hundred distinct pictures, which are too few to train a
# network on. Does what a network learnt elsewhere help? Linear layers are fitted on the
# features of networks that stay as they are: the shipped finder of heads, the shipped
# recogniser of planes, which learnt from the normal pictures' source, Xception as it learnt
# to measure phantoms, the same Xception with random weights, and edges without a network. The
# layer asks for all classes at once, for normal, then the group, then the class, or one
# question a class (a picture under two names is then an example of both). Each candidate is
# asked about cases that it was not fitted on, a picture once; strengths, and the candidate
# that is used, are chosen on folds within the training cases. The second table leaves the
# normal pictures out, which come from other machines: what is left there is anatomy, or
# chance.

# %% mystnb={"table": {"name": "tab-02-few", "caption": "Candidates on unseen cases: means over repeated five folds, with 95 % intervals over cases, and how often inner folds chose each."}}
if p.few_repeats and p.data != "phantom":
    whole = leak_steps.whole_views(run, folder)
    pictures = few.see_pictures(cases, whole)
    trial = few.try_candidates(pictures, p.few_repeats, p.seed)
    table = few_tables.candidates_table(run, pictures, trial)
    run.save_table(table, "few", "Candidates for few pictures.")
    display(pretty(table))
else:
    display(Markdown("Of real sets only, where `few_repeats` is not 0."))

# %% mystnb={"table": {"name": "tab-02-within-source", "caption": "The chosen candidate, class by class: recall, and against the other anomalies alone the area under the ROC curve and the sensitivity at 95 % specificity, with 95 % intervals that count each case once."}}
if p.few_repeats and p.data != "phantom":
    table = few_tables.within_source_table(pictures, trial)
    run.save_table(table, "within_source", "Anomalies against each other.")
    display(pretty(table))
    display(Markdown(few_tables.few_words(pictures, trial)))

# %% [markdown]
# ## What the source's own protocol would have reported
#
# ### Copies before the split
#
# On phantoms, which nobody copied, the copies are made here. Same images, thinned to the
# source's frequencies of classes, same separable CNN, same settings, three times. First as in
# the source: each image with an augmented copy (as the collection was shared), rare classes
# filled up by copies, then a random split over images. Then split by patient, with the same
# copies made in the training part only: the fair rival, and what it falls short of the first is
# about what the leak gave. Last split by patient without copies, which leaves less to train on.
#
# On a real set, which comes augmented, each step takes one thing away, and whole scans are
# squashed as in the source: rare classes filled up to fifty **before** a random split over
# images; filled up in the training part, **split by image**, so that augmented siblings still
# stand on both sides; **split by picture**, which keeps siblings together; **split by case**.
# Copies made before the split are trained on and not scored, so that each step is scored on
# images of the set, and the networks have their published size.
#
# Where the test images differ, classes are weighed as if they were as frequent in each as in
# the first, so that no class counts for more in one row than in another; a class of one case
# is left out of the steps on a real set. All train for the epochs that
# {numref}`tab-02-source-protocol` names, from `source_trainings` seeds whose luck the
# intervals hold: read the gaps there and in
# {numref}`fig-02-source-protocol`, not the level. The level stays below the source's, which
# also made thousands of augmented images of each class; and a network that was trained for
# few epochs has learnt neither siblings nor anatomy, so that its gap says little.

# %% mystnb={"table": {"name": "tab-02-source-protocol", "caption": "The source's protocol beside splits that leak less, with 95 % intervals over patients."}}
protocol = leak_steps.reenact(run, cases, folder)
run.save_table(protocol.table, "source_protocol", "Copies before the split.")
pretty(protocol.table)

# %%
run.save_table(protocol.rare, "source_rare", "Recall of the rarest classes.")

# %% mystnb={"figure": {"name": "fig-02-source-protocol", "caption": "Macro-F1 under each protocol, with 95 % intervals over patients."}, "image": {"alt": "Macro-F1 with intervals, a line a protocol, falling from the source's protocol to patients kept apart."}}
figure = agreement.model_comparison(protocol.shown, "macro-F1")
run.save_figure(
    figure,
    "source_protocol",
    "Macro-F1 under each protocol.",
    "Macro-F1 with intervals, a line a protocol.",
)

# %% tags=["remove-input"]
Markdown(protocol.words)

# %% [markdown]
# ### Different test sets, and a ranking against its own log
#
# The source's first two accuracies stand on equally many test images; which of them each
# model missed, the log does not say ({numref}`tab-02-source-log`).

# %% mystnb={"table": {"name": "tab-02-source-log", "caption": "Accuracies of the source's log, with 95 % intervals from their numbers of images."}}
log = rankings.log_table()
run.save_table(log, "source_log", "Accuracies of the source's log.")
pretty(log)

# %% tags=["remove-input"]
apart, n, chance = rankings.log_difference()
Markdown(
    f"The first two differ by {apart} of {n} images. Even on the same "
    f"images, and even if one model had missed these beside all that the "
    f"other missed, a fair coin parts two equal models so one time in "
    f"{1 / chance:.0f} (exact sign test). The log cannot say which is "
    f"better; if it says anything, it says the opposite of the README."
)

# %% [markdown]
# And if each model has a test set of its own? For each pair of networks, test sets of the
# source's sizes are drawn from this run's test images: once the same images for both, once
# different ones. The less accurate network should never win; where the two are close, it
# does so more often on different test sets.

# %% tags=["hide-output"]
flips = rankings.ranking_table(
    test.labels, {name: s.test_probs.argmax(1) for name, s in scored.items()}
)
run.save_table(flips, "ranking_flips", "How often the worse network wins.")
pretty(flips)

# %% [markdown]
# ## On real images
#
# `external_data` scores the networks on a folder that had no part in training.

# %% mystnb={"table": [{"name": "tab-02-external", "caption": "External images, all networks, with 95 % intervals over patients."}, {"name": "tab-02-external-classes", "caption": "External images, class by class, for the network that is best on validation."}]} tags=["hide-input"]
if p.external_data:
    external = report.score_external(run, scored, best)
    run.save_table(external, "external", "External images by class.")
    display(pretty(results_table(run.rows, report.SHOWN, "external")))
    display(pretty(external))
else:
    display(Markdown("No external images were named in this run."))

# %% [markdown]
# ## Saving the model
#
# The network that was best on validation is saved, with its temperature, its
# limits and a card. `fetal-lib predict anomaly scans/ --model 02` applies it to a folder of images;
# without `--model` the shipped model answers, a linear layer that learnt from real scans.
#
# :::{warning}
# Confidence, sets and limits hold for scans and for a mix of findings like those of the
# collection. Where findings are rare, most alarms are false; *normal* excludes nothing,
# and a model of phantoms says nothing about patients.
# :::

# %%
if p.save_model:
    card = report.card_of(run, scored[best], cases)
    scored[best].model.save(run.folder / "model", card)
run.finish()

# %% [markdown]
# ## A page for the sonographer
#
# `fetal-lib app` opens a page in the browser: drop a scan, read the class, a
# calibrated confidence, the runners-up, the map, or "I don't know". Started by
# hand, this notebook opens the same page below, with the model that was just
# saved. A run from the command line passes over it.

# %%
from fetal_book.app import build, launch
from fetal_book.runs.start import FOLDER_VARIABLE

if p.save_model and FOLDER_VARIABLE not in os.environ:
    page = build(anomaly=run.folder)
    launch(page, inline=True, height=900, prevent_thread_lock=True)

# %% [markdown]
# ## Limits and intended use
#
# - **Not for clinical use.** Research and teaching only.
# - Phantoms draw each anomaly as a textbook does: one at a time, in a good
#   plane, on a frame that was kept because the brain is seen well. Real
#   anomalies come together, late, and in bad planes.
# - Where Xception starts from `measures`, it has met the pen that draws the phantoms, and
#   measures that all but name some classes. On real scans its frozen features tell more than
#   those of random weights (*What few pictures allow*, in the reference run), and less than
#   all layers trained on the scans themselves.
# - Each network was trained once. Its intervals are those of other patients; another seed
#   would move it too, and a sweep over `seed` shows how far.
# - The public collection names neither patients nor the origin of its images, and has
#   classes of a handful of images {cite:p}`roboflow2023brain`; no figure on it says what a
#   network would do in a hospital.
# - Ventriculomegaly is a measure in millimetres, not a look. A scale bar lets a
#   network guess at best; callipers measure.
# - A conformal set keeps its promise for patients like those of the validation
#   part, on average over classes, not for each class.
# - The same validation images chose the best of three networks and set its
#   temperature and limits.
#
# ## Key points
#
# 1. Split by patient, resample inside the training part, and give all models the
#    same test images.
# 2. Accuracy hides rare classes; macro-F1 with *n* and an interval does not.
# 3. Compare networks from the same start: what one learnt before is not its design.
# 4. A confidence needs a test, a set keeps a promise, and some images deserve no
#    answer.
# 5. Fewer multiplications need not be fewer seconds: measure.
#
# ## Parameters to try
#
# | change | what to expect |
# |---|---|
# | `data=PATH` | the chapter on a folder in any of the known formats |
# | `search_trials=30 search_networks=all` | a search worth the name, half an hour more |
# | `cv_folds=5 cv_filters=true` | networks trained with each filter against noise |
# | `data=PATH few_repeats=3` | on a real set: what frozen networks and a linear layer reach |
# | `denoise=srad` | every network sees filtered images |
# | `balance=none` | what rare classes lose |
# | `image_size=96` | finer anatomy, more than twice the work |
# | `n_phantoms=400` | what fewer patients cost |
# | `xception_weights=none xception_epochs=30` | Xception from random weights, and long enough for it |
# | `xception_weights=none xception_middle=8 xception_epochs=60` | Xception as deep as in the paper, and longer |
# | `view=whole` | what finding the head and the scale bar are worth |
# | `fine_tune_epochs=8` | all of Xception's layers trained on from the start |
# | `xception_weights=imagenet xception_width=1 xception_middle=8 fine_tune_epochs=10` | the source's own transfer learning |
# | `source_networks=all` | on a real set: the CNN and Xception by the source's protocol too |
# | `profile=full` | the source's recipe at its published size, Xception from random weights |
#
# ## How to cite
#
# Cite this compendium (`CITATION.cff`), the data {cite:p}`roboflow2023brain` where
# it is used, and the network {cite:p}`chollet2017xception`.
