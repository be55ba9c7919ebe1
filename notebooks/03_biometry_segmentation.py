# %% [markdown]
# # Five segmentation networks, and what they measure
#
# | | |
# |---|---|
# | **Task** | outline head, abdomen and femur on ultrasound; from the outlines HC, BPD, OFD, AC, TAD, APAD, FL, age, weight, centile |
# | **Data** | phantoms (default), HC18, CC BY 4.0 {cite}`hc18data`, callipers on scans of two hospitals (`fetal_biometry_fp`), or a clinic's own folder; two sources can be joined |
# | **Models** | MedSegDiff-V2, DUCK-Net, Attention U-Net, UNeXt, TransUNet; U-Net and ellipse fit beside them (PyTorch) |
# | **Source** | project 002; after {cite:t}`wu2024`, {cite:t}`dumitru2023`, {cite:t}`oktay2018`, {cite:t}`valanarasu2022`, {cite:t}`chen2021` |
# | **Run time** | minutes on two CPU cores (`quick`, narrow networks); published size needs a graphics card |
# | **Status** | runs whole on phantoms, on HC18 and on callipers of two hospitals; no run of `full` is kept |
#
# Five architectures of 2018 to 2024 are compared on one task. Where a paper or its
# released code has a parameter count, a test of this project holds this code to the
# same. In `quick` all but UNeXt are narrowed, so that two cores train them; read
# that comparison as one *under a budget*.
#
# **What to take away.** Under one split, one augmentation and one short budget, the
# order of the networks need not be that of their papers: plain ones learn fast, and
# a comparison without intervals, paired tests and cost says little. What a diffusion
# model adds is an ensemble, at many times the cost.

# %% tags=["parameters"]
profile = "quick"
data = "phantom"
seed = 0
refit = False
out = ""
also = ""
networks = "unet,attention_unet,duck_net_17,unext,trans_unet,med_seg_diff"
size = "narrow"
image_size = 64
epochs = 33
batch_size = 8
learning_rate = 0.003
patience = 0
precision = "float32"
devices = 1
strategy = "auto"
augment = True
n_phantoms = 80
marks = True
test_fraction = 0.25
val_fraction = 0.15
predicts = "mask"
signal = 0.1
anchor_every = 1
sampling_steps = 5
ancestral_steps = 50
members = 3
fusion = "staple"
convention = "outer-outer"
robust_images = 6
source_epochs = 12
source_trainings = 1
save_model = True

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from IPython.display import Markdown

from fetal_lib.data.audit.cases import audit_cases
from fetal_lib.data.splits.check import assert_disjoint
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.models.mask_fusion import uncertainty_map
from fetal_lib.plots import agreement, heads, segmentation, segmentation_checks
from fetal_lib.plots import growth as charts
from fetal_lib.plots.audit import audit_figure
from fetal_lib.training.history import read_history

# %% tags=["hide-input"]
from fetal_book.chapters.biometry_segmentation import data as cases
from fetal_book.chapters.biometry_segmentation import convention as bpd_edges
from fetal_book.chapters.biometry_segmentation import crop_scale
from fetal_book.chapters.biometry_segmentation import ensembles, explain, fit
from fetal_book.chapters.biometry_segmentation import growth, hospitals
from fetal_book.chapters.biometry_segmentation import network_cost, report
from fetal_book.chapters.biometry_segmentation import robust, source, velocity
from fetal_book.chapters.biometry_segmentation.case_tiles import case_tiles
from fetal_book.chapters.biometry_segmentation import scores as score
from fetal_book.chapters.example_cases import typical_and_worst
from fetal_book.chapters.tables import plain, pretty
from fetal_book.runs.published import reference_table
from fetal_book.runs.session import open_run

run = open_run("03_biometry_segmentation", globals())
p = run.parameters

# %% tags=["remove-cell"]
Markdown(run.banner())

# %% [markdown]
# ## The question, and what the source reports
#
# Source 002, one of the five projects that this book rebuilds, reports for five
# networks on HC18 and 300 private scans together a Dice from 0.956 (TransUNet) to
# 0.985 (MedSegDiff-V2; 0.989 in its text), with Grad-CAM of the best and the promise
# of biometry. One notebook survives, and none of these numbers comes out of it:
#
# - **No test was run.** The notebook trains HC18 alone, and its output ends in the
#   44th of 50 epochs, with a validation Dice of 0.9675 at best; the README prints
#   0.9682 as the test Dice. Of the other four networks there is no code.
# - **Another network.** Its "DUCK-Net" has 31,752,449 parameters and no DUCK block.
#   The decoder enlarges the deepest map, cuts out its middle, and so lays it under
#   the wrong pixels.
# - **Split by image**, although an examination has up to four frames.
# - **Altered test images, pooled pixels.** Validation and test images are flipped
#   and turned at random as training images are, and all pixels of a batch go into
#   one Dice.
# - **Lost augmentation.** Five altered copies of an image are written over one
#   another, and one is left.
# - **The answer in the input.** A routine brightens the structure by the *true*
#   mask, in test images too; a threshold on the wrong scale keeps it from acting.
# - **No length.** The README promises head and abdomen. HC18 has no abdomens, and
#   nothing is measured in millimetres.
#
# We ask: how far apart are the five under one honest protocol, what does each
# cost, and what do their outlines give in millimetres, days and grams?
#
# ## Data
#
# The phantom set holds a head and an abdomen of each fetus in the layout of a
# clinic's own set: a table, images, filled masks ({numref}`tab-03-images`,
# {numref}`fig-03-data`). HC18 {cite:p}`heuvel2018` has heads only, so AC, and with it
# the weight, comes from phantoms, from a clinical set of your own, or from
# `fetal_biometry_fp`: heads, abdomens and femurs of two hospitals
# {cite:p}`burgosartizzu2020`, on which experts set callipers {cite:p}`divece2025`.
# `also` joins a second set: all networks learn from both, and results are given
# pooled and for each.
#
# Callipers are no outlines. The reference of a head or an abdomen is the ellipse of
# its two diameters: the axes have their lengths, and centre and angle bring the four
# ends of the axes nearest to the four points. A femur is the band along its line, an
# eighth as wide as long. Overlap with such a mask says how well a network agrees with
# that drawing, and the millimetres say more. The columns that describe a crop around
# the answer are not read. What a set's layout left out, such as rows that cannot be
# true, is told below with its reason.
#
# Images are not subjects. Frames of one subject resemble one another, so the split,
# the intervals and the paired tests treat all of them as one piece of evidence.
# HC18's file numbers name examinations, of which there are more than women
# {cite:p}`hc18data`: two examinations of one woman can still fall into two parts.

# %% mystnb={"table": {"name": "tab-03-images", "caption": "Images and subjects of each source and structure; mean circumference and pixel size in mm."}}
folders = cases.find_data(p)
table = cases.read_cases(p, folders)
shape = (p.image_size, p.image_size)
arrays = cases.load_cases(table, shape)
run.data_fingerprint = cases.fingerprint(table, arrays)
table.groupby(["source", "structure"]).agg(
    images=("image", "size"),
    subjects=("subject", "nunique"),
    mean_mm=("true_mm", "mean"),
    pixel_mm=("pixel_size_mm", "mean"),
).round(2)

# %% tags=["remove-input"]
Markdown(cases.data_text(table))

# %% mystnb={"table": {"name": "tab-03-left-out", "caption": "What the layouts of the data left out or found odd, with the reason."}} tags=["hide-input"]
odd = cases.left_out(folders)
if len(odd):
    run.save_table(odd, "left_out", "What was left out or found odd.")
pretty(odd) if len(odd) else Markdown("Nothing was left out.")

# %% mystnb={"figure": {"name": "fig-03-data", "caption": "Images from all over the set with their reference outline (green)."}, "image": {"alt": "Ultrasound images of heads, or of heads, abdomens and femurs, each with its reference outline."}}
kinds = [rows.index for _, rows in table.groupby("structure", sort=False)]
each = 8 // len(kinds)
pick = np.concatenate([at[evenly_spaced(each, len(at))] for at in kinds])
rows = table.iloc[pick]
titles = [
    f"{s}, {v:.0f} mm"
    for s, v in zip(rows["structure"], rows["true_mm"], strict=True)
]
shown = arrays.select(pick)
figure = heads.gallery(
    shown.images, shown.masks, titles, sizes_hw=shown.sizes_hw
)
run.save_figure(
    figure,
    "data",
    "Images from all over the set with their reference outline.",
    "Ultrasound images, each with the outline of its structure.",
)

# %% [markdown]
# ## Split and leak audit
#
# All planes of one fetus, and all frames of one examination, stay together: subjects
# are dealt out, stratified by the planes that they have and by size. Each source is
# dealt out by itself, so that a set run alone and joined with another is tested on the
# same subjects. {numref}`tab-03-who-was-in` says who was in, who was not and why. The
# validation part is watched during training, stops it where `patience` is set, **chooses the network**
# that is explained below, and calibrates its prediction interval. The test part is used
# once, and chooses nothing.
#
# The audit looks for clues to the circumference beside the structure itself
# ({numref}`tab-03-leak-audit`, {numref}`fig-03-audit`). On phantoms and on HC18 the
# pixel size is one, because small structures are magnified; in HC18 so are the order
# of the files and the grey of the border. No network is given pixel size or order;
# pixel size only turns pixels into millimetres at the end. The border is in the
# picture, and a network is free to use it.

# %% mystnb={"table": {"name": "tab-03-who-was-in", "caption": "Who was in, who was not and why: images, with subjects in brackets. An empty cell: the release has no number, or all of it is at hand."}}
shares = {"test": p.test_fraction, "val": p.val_fraction}
part = cases.deal_out(table, shares, p.seed)
assert_disjoint(table["subject"], part)
table["part"] = part
train, val, test = (np.array(part) == n for n in ("train", "val", "test"))
run.save_table(table[["image", "subject", "part"]], "split", "The split.")
flow = cases.flow_table(table, folders)
run.save_table(flow, "who_was_in", "Who was in, who was not and why.")
pretty(flow)

# %% mystnb={"table": {"name": "tab-03-leak-audit", "caption": "What could leak: each check, what it found, and the verdict."}}
leaks = audit_cases(
    table,
    "image_path",
    label="true_mm",
    group="subject",
    part="part",
    metadata=["pixel_size_mm"],
    seed=p.seed,
)
run.save_table(leaks.findings, "leak_audit", "What could leak.")
leaks.findings[["check", "finding", "verdict"]].style.hide()

# %% mystnb={"figure": {"name": "fig-03-audit", "caption": "Strength of each clue to the circumference, with its verdict."}, "image": {"alt": "Lines from zero to the strength of each leak check, with verdicts in words."}}
figure = audit_figure(leaks)
run.save_figure(
    figure,
    "audit",
    "Strength of each clue to the circumference.",
    "Lines from zero to the strength of each leak check.",
)

# %% [markdown]
# ### A column that knows the answer
#
# The tables of `fetal_biometry_fp` describe a crop of each head that was cut around
# the experts' own points. Where a run has that set, a table predicts the OFD of test heads
# without a picture: by that crop's `scale` times one number, by the pixel size, and by
# the mean, each fitted on the training part. Whoever feeds such crops, brought to one
# size, hands over the answer with the question, even if the column is dropped. No
# network here is given the column, the crop or its centre. What the column is worth on
# the real set stands on the [leak ladder](../leak_ladder.md).

# %% mystnb={"table": {"name": "tab-03-crop-scale", "caption": "OFD of test heads by columns of the tables alone: absolute difference, with its 95 % interval over subjects, and as a share of the annotated OFD."}}
crops = crop_scale.ofd_without_pictures(run, table, folders)
if len(crops):
    run.save_table(crops, "crop_scale", "OFD by columns alone.")
pretty(crops) if len(crops) else Markdown("No set here describes a crop.")

# %% [markdown]
# ## The networks
#
# - **U-Net** and **Attention U-Net**: 64 to 1,024 channels; in the second, a gate at
#   each skip weighs the encoder's pixels.
# - **DUCK-Net**: six branches of different reach in each block, an image pyramid,
#   skips that are added and not concatenated.
# - **UNeXt**: shifted MLPs at the two deepest levels; as published, the smallest.
# - **TransUNet**: a ResNet's deepest map through twelve transformer blocks.
# - **MedSegDiff-V2**: a diffusion model. What its authors released has none of the
#   second version's parts; `networks` takes it as `med_seg_diff_released`. The
#   paper's anchor condition and SS-Former are built here from the paper, and have
#   no published count.
#
# In {numref}`tab-03-networks`, *published* is the count of the paper or of its code, and
# beside it stands that of this code at the same setting. *Width here* multiplies all
# channels in this run, whose images are grey where the papers' have colours; the sides
# of an image must be multiples of the last column.

# %%
names = fit.chosen_networks(p)
described = network_cost.network_table(names, p.size, p.image_size)
run.save_table(described, "networks", "Networks and their parameters.")
pretty(described)

# %% [markdown]
# ## Training
#
# The same images, augmentation, optimiser (AdamW), schedule and number of epochs
# for all, by Lightning: a checkpoint an epoch, resume, mixed precision and several
# devices by parameter (`strategy` is then `auto` or `ddp_notebook`: a notebook
# cannot start `ddp`). One budget means equal epochs, not equal time. Plain networks
# learn from cross-entropy and soft Dice. The diffusion model learns to undo noise,
# with the anchor loss of the paper on its condition network.
# {numref}`tab-03-training` says what each fit took: `train_s` in seconds, the images of a
# second as the median over the epochs, and loss and Dice of the last epoch.

# %%
arrays_train, arrays_val = arrays.select(train), arrays.select(val)
settings = fit.fit_settings(p, arrays)
segmenters, fits = fit.fit_all(run, arrays_train, arrays_val, settings)
train_s = {name: fit.train_s for name, fit in fits.items()}
histories = {name: read_history(f.folder) for name, f in fits.items()}
trained = network_cost.training_table(run, histories, train_s)
run.save_table(trained, "training", "Time, throughput and last losses.")
pretty(trained)

# %% [markdown]
# Losses of plain and of diffusion networks are different quantities. Dice is not:
# it is that of the masks at probability one half and, for the diffusion model, of
# one mask sampled in a few steps. Over *time* rather than epochs the order can
# change ({numref}`fig-03-curves`): a small network has seen its data often before a
# large one has seen it once.

# %% mystnb={"figure": {"name": "fig-03-curves", "caption": "Validation loss over epochs, and validation Dice over epochs and over training time."}, "image": {"alt": "Validation loss over epochs, and validation Dice over epochs and over seconds, one line per network."}}
figure = segmentation.training_curves(histories)
run.save_figure(
    figure,
    "curves",
    "Validation loss and Dice over epochs and over training time.",
    "Validation loss and Dice of each network over epochs and time.",
)

# %% [markdown]
# ## Which network is carried on?
#
# The one with the highest mean Dice on the **validation** part
# ({numref}`tab-03-choice`). The choice is made before any network has seen a test image.
# Resampled subjects tell how much of it is luck. All networks see the same subjects,
# so overlapping intervals would say little.

# %% mystnb={"table": {"name": "tab-03-choice", "caption": "Validation part, all networks, with 95 % intervals over subjects."}}
table_val = table[val].reset_index(drop=True)
references_val = cases.references(table_val, arrays_val)
_, scores_val, _ = report.score_all(
    segmenters, table_val, arrays_val, references_val
)
report.add_scores(run, scores_val, "val")
best = report.choose_best(scores_val)
choice = report.results_table(run.rows, "val", ("dice", "adf_mm"))
run.save_table(choice, "choice", "Validation part, all networks.")
pretty(choice)

# %% tags=["remove-input"]
Markdown(report.choice_text(scores_val, best, p.seed))

# %% [markdown]
# ## Results on the test part
#
# Overlap and distances are those of the masks at the scan's own size, per image;
# intervals are 95 % bootstrap intervals over subjects. **mAP** is defined for one
# object an image: the share of images whose IoU reaches a threshold, averaged over
# the thresholds 0.50, 0.55, ..., 0.95. HD95 and ASSD are distances between the two
# outlines, ADF the absolute difference of circumference. Where nothing is found the
# overlap is 0 and there is no distance. `ellipse_fit` looks for a bright ellipse in the
# same small image and has learnt nothing. {numref}`tab-03-results` has the source's
# measures, {numref}`tab-03-further` those that it lacks: all images pooled first, then
# one row per data set where several are joined, and per structure where there are two.
# {numref}`fig-03-dice-box` shows every image: a mean hides whether a network is a little
# off everywhere or fails on a few. {numref}`fig-03-models` shows typical and worst cases
# by every network, and {numref}`fig-03-cases` those of the chosen one with their numbers.

# %% mystnb={"table": {"name": "tab-03-results", "caption": "Test part, all models: the source's measures, with 95 % intervals over subjects."}}
table_test = table[test].reset_index(drop=True)
arrays_test = arrays.select(test)
references = cases.references(table_test, arrays_test)
probs, scores, members = report.score_all(
    segmenters, table_test, arrays_test, references
)
baseline = report.ellipse_baseline(arrays_test, p.seed)
found = score.score_structures(table_test, references, baseline)
scores["ellipse_fit"] = found
report.add_scores(run, scores)
results = report.results_table(run.rows)
run.save_table(results, "results", "Test part, all models.")
source_measures = ("dice", "iou", "recall", "map")
pretty(report.results_table(run.rows, metrics=source_measures))

# %% mystnb={"table": {"name": "tab-03-further", "caption": "Test part, all models: measures that the source lacks, with 95 % intervals over subjects."}} tags=["hide-output"]
further = ("precision", "hd95_mm", "assd_mm", "adf_mm")
pretty(report.results_table(run.rows, metrics=further))

# %% mystnb={"figure": {"name": "fig-03-dice-box", "caption": "Dice of every test image by every model; ellipse_fit has learnt nothing. Line: median; box: middle half; whiskers: to the furthest image within 1.5 box lengths; each dot is an image."}, "image": {"alt": "Box plots of the Dice of the test images, one row per model and one panel per structure, with a dot for each image."}}
per_image = pd.concat(
    [one.assign(model=name) for name, one in scores.items()],
    ignore_index=True,
)
kept = ["model", "image", "subject", "structure", "source", "dice"]
run.save_table(per_image[kept], "dice_box", "Dice of every test image.")
figure = segmentation.dice_boxes(scores)
run.save_figure(
    figure,
    "dice_box",
    "Dice of every test image by every model: median, middle half, whiskers "
    "within 1.5 box lengths, and a dot for each image.",
    "Box plots of the Dice of the test images, one row per model.",
)

# %% mystnb={"figure": {"name": "fig-03-models", "caption": "Two test images around the median Dice of the first network and its two worst, outlined by every network. Reference green, prediction orange and dashed."}, "image": {"alt": "Grid of test images, one column per network, with reference and predicted outline."}}
pick = typical_and_worst(scores[names[0]]["dice"].to_numpy(), n=2)
shown = arrays_test.select(pick)
figure = segmentation.model_grid(
    shown.images,
    shown.masks,
    {name: found[pick] for name, found in probs.items()},
    ["typical"] * (len(pick) // 2) + ["worst", "2nd worst"],
    shown.sizes_hw,
)
run.save_figure(
    figure,
    "models",
    "Typical and worst test images, outlined by every network.",
    "Grid of test images, one column per network.",
)

# %% mystnb={"figure": {"name": "fig-03-cases", "caption": "Right and wrong: of each structure, test images around the median Dice of the chosen network, then its worst, with Dice and the error of HC, AC or FL. Reference green, prediction orange and dashed."}, "image": {"alt": "Test images with reference and predicted outline, Dice and error in millimetres above each."}}
pick, titles = report.right_and_wrong(scores[best])
shown = arrays_test.select(pick)
figure = heads.gallery(
    shown.images,
    shown.masks,
    titles,
    shown.sizes_hw,
    probs[best][pick],
)
run.save_figure(
    figure,
    "cases",
    "Test images around the median Dice of the chosen network, and its worst.",
    "Test images with both outlines, Dice and error in millimetres.",
)

# %% [markdown]
# ### Right and wrong cases
#
# Of each structure the worst test images of the chosen network by Dice, then some
# over all its others; on the page they can be sorted. *Right* is a size nearer than
# 5 % to the annotated one, a line drawn for looking. Ellipses fitted to the reference
# (green) and to what was found (orange, dashed), of a femur a thin one. Look for what
# the wrong ones share: an edge that leaves the picture, and shadows.

# %% tags=["hide-input"]
tiles = case_tiles(scores[best], table_test, arrays_test, probs[best])
caption = "Test images: the worst of each structure, then some of its others."
run.save_gallery(tiles, "cases", caption)

# %% [markdown]
# ### Is one network better than another?
#
# {numref}`tab-03-paired-tests` compares two networks at a time over the same subjects:
# the mean difference of Dice, and of ADF, over the images with its bootstrap interval,
# and Wilcoxon's signed-rank test on the subjects' means, adjusted for all pairs of a
# measure by Holm's procedure {cite:p}`holm1979`. The intervals are not adjusted, so one
# may leave out zero where the adjusted p is large. One training each: the scatter from
# seed to seed is in neither.

# %% mystnb={"table": {"name": "tab-03-paired-tests", "caption": "First network minus second on the same subjects: mean difference with its 95 % interval, p by Wilcoxon's test, and p_holm, adjusted by Holm's procedure within each measure."}} tags=["hide-output"]
learnt = {name: scores[name] for name in names}
tests = pd.concat(
    [
        score.paired_tests(learnt, metric, p.seed).assign(metric=metric)
        for metric in ("dice", "adf_mm")
    ],
    ignore_index=True,
)
run.save_table(tests, "paired_tests", "Differences between networks.")
pretty(report.shown_tests(tests))

# %% [markdown]
# ### Learn here, be asked there
#
# Where a run joins two sources, one U-Net learns from the heads of the first, of the
# second and of both, in equally many steps, and is asked at each: on the same test
# subjects, so that a column compares. A bias that appears only across the sources is a
# difference of what is drawn or measured there, and not of how well it is found.

# %% mystnb={"table": {"name": "tab-03-four-ways", "caption": "One U-Net by where it learnt and where it is asked, heads of the test part: bias is measured minus annotated, ADF the absolute difference with its 95 % interval over subjects."}}
ways = hospitals.four_ways(run, table, arrays, references)
if len(ways):
    run.save_table(ways, "four_ways", "Learnt here, asked there.")
pretty(ways) if len(ways) else Markdown("The heads are of one source.")

# %% [markdown]
# ## Millimetres
#
# An ellipse is fitted to the half-probability contour and carried back to the scan
# as a whole: its perimeter is HC or AC, its axes are BPD and OFD, or TAD and APAD. An
# outline does not say which axis of an abdomen is the transverse one; it is taken from
# the direction of the expert's line, and only for this table. The length of a femur is
# that of the even band of the same spread as the one found. DF is measured minus
# annotated (its mean is the bias), its 95 % limits of agreement
# {cite:p}`bland1986agreement` follow, ADF is the absolute difference, in mm with its
# 95 % interval over subjects, and as a share of the annotated size, which is the
# normalised mean error of the measure. {numref}`tab-03-biometry-errors` has HC, AC and FL
# of all networks and every measure of the chosen one; `biometry_errors.csv` has the
# others. {numref}`fig-03-agreement` has the chosen network, HC, AC and FL together. BPD
# and OFD of HC18 are those of its outlines. The limits count each image as independent,
# frames of one subject too. The floor of any method is how far the reference masks
# themselves are from the table.

# %% mystnb={"table": {"name": "tab-03-biometry-errors", "caption": "Sizes by network, test part; not found: images without a measurement, left out of the columns after it; DF is measured minus annotated, the limits are its 95 % limits of agreement."}}
floor = report.reference_circumference_gap(table_test, references)
measures = report.by_measure(scores, p.seed)
run.save_table(measures, "biometry_errors", "Sizes by network.")
charted = measures["measure"].isin(["HC", "AC", "FL"])
charted &= measures["data"] == cases.pooled_name(table_test)
shown = measures[charted | (measures["model"] == best)]
shown = shown.reset_index(drop=True)
run.save_table(shown, "measures", "Sizes; the chosen network has them all.")
print(f"reference masks against table: {np.nanmean(np.abs(floor)):.2f} mm")
pretty(shown)

# %% [markdown]
# On images of `fetal_biometry_fp` a landmark network, BiometryNet, was published with
# thousands of training images {cite:p}`divece2025`. Where a run has the set, its errors
# stand beside: read them with care. They are errors of the *end points*, not of the
# measure, and two ends that slide along a skull leave its length as it is. Its split is
# apart within a plane only: of its 460 test subjects of the head, 200 train the abdomen.
# And its head is cropped by the experts' own OFD, at test time too. Here a subject is on
# one side with all planes, the training images are hundreds, and the scan is whole.

# %% mystnb={"table": {"name": "tab-03-published", "caption": "Mean errors as shares of the size, per cent: of measures here, of end points as published. Not the same quantity, not the same test images."}}
beside = report.beside_published(measures, best)
if len(beside):
    run.save_table(beside, "published", "Published errors beside these.")
pretty(beside) if len(beside) else Markdown("The set is not in this run.")

# %% mystnb={"figure": {"name": "fig-03-agreement", "caption": "Measured against reference circumference (HC and AC; FL of a femur) of the chosen network, and the Bland-Altman plot with 95 % limits of agreement."}, "image": {"alt": "Scatter plot of measured against reference circumference and Bland-Altman plot."}}
figure = agreement.agreement_figure(
    scores[best]["true_mm"], scores[best]["pred_mm"], "circumference"
)
run.save_figure(
    figure,
    "agreement",
    "Agreement of measured and reference circumference.",
    "Scatter plot and Bland-Altman plot of the circumference.",
)

# %% tags=["remove-input"]
Markdown(report.interval_text(run, best, scores_val[best], scores[best]))

# %% [markdown]
# ### Where the far calliper is set
#
# A BPD runs to the outer edge of the far skull, as here and in INTERGROWTH-21st, or to
# its inner edge, as in Hadlock's formulas. {numref}`tab-03-convention` is of the
# annotated heads of the test part, no network: what the other convention would make of
# them by a published line {cite:p}`wong2018bpd`. Compare with the ADF above: a model
# scored, or a formula entered, by the other convention is off by this much before it
# has made an error. BPD / OFD says whether heads of two sources are drawn alike.

# %% mystnb={"table": {"name": "tab-03-convention", "caption": "Annotated heads of the test part by source: BPD over OFD with its 95 % interval over subjects, and the mean change of BPD, HC and of Hadlock's age by BPD when the far calliper goes from the outer to the inner edge."}}
edges = bpd_edges.convention_table(scores[best], p.seed)
run.save_table(edges, "convention", "BPD to the inner edge.")
pretty(edges)

# %% tags=["remove-input"]
Markdown(hospitals.convention_text(ways, edges))

# %% [markdown]
# ### Age, weight and centile
#
# Each subject's sizes go through one examination by published formulas, by annotation
# and by measurement: ages by each size (Hadlock {cite:p}`hadlock1984age`,
# INTERGROWTH-21st), weights by every formula whose sizes are there
# {cite:p}`hadlock1985weight,stirnemann2017weight`, ratios, centiles.
# {numref}`tab-03-growth-agreement` and {numref}`fig-03-weight` say what an outline's error
# becomes. BPD enters each
# formula in the convention that it was made for; `convention` says how the data's was
# measured, as the option `--convention` of `fetal-lib predict biometry` does.
#
# A centile needs an age known from elsewhere. Real sets here have none: their abdomens
# and weights are set against the age by the *annotated head*, the same for both sides,
# which serves to compare pictures with callipers and to judge no fetus. Below the 10th
# centile a fetus is **small for its age (SGA)**, above the 90th **large (LGA)**. Small is
# not by itself growth restriction: below the 3rd centile AC or weight suffices
# by the Delphi consensus, from there to the 10th it takes Doppler findings or growth
# over time {cite:p}`gordijn2016`. A flag hangs on a threshold, so that a small error of the outline
# can raise or clear it.

# %% mystnb={"table": {"name": "tab-03-growth-agreement", "caption": "Ages (days), weights (g), ratios and centiles of the n subjects of the test part that have what they need: measured minus annotated, with 95 % limits of agreement; MAE: mean absolute error, and its share of the annotated value."}} tags=["hide-output"]
subjects, lines = growth.examinations(
    scores[best], table_test, p.convention
)
run.save_table(subjects, "growth", "Sizes, age and weight of each subject.")
agreed = growth.agreement_table(lines)
run.save_table(agreed, "growth_agreement", "Measured minus annotated.")
pretty(agreed)

# %% tags=["remove-input"]
Markdown(growth.weights_text(subjects))

# %% mystnb={"figure": {"name": "fig-03-weight", "caption": "Estimated fetal weight over gestational age, by annotation and by measurement, on INTERGROWTH-21st centiles; the age is the known one, or that by the annotated head. Without abdomens: the age by the head, measured against annotated."}, "image": {"alt": "Estimated weight of each subject by annotation and by measurement over gestational age, with centile lines; or ages by the head."}}
figure = charts.weight_or_age_chart(subjects, lines)
run.save_figure(
    figure,
    "weight",
    "Estimated weight, or age by the head, by both sides.",
    "Estimated weight by annotation and by measurement on a chart.",
)

# %% mystnb={"table": {"name": "tab-03-flags", "caption": "Flags of the subjects with a weight centile: by annotation, by measurement, and by both."}}
flags = growth.flag_agreement(subjects)
if len(flags):
    run.save_table(flags, "flags", "Flags by either side.")
pretty(flags) if len(flags) else Markdown("No weight, so no flag.")

# %% [markdown]
# ### Growth over time
#
# A fetus that slows is seen by what it gains between two dates. The real sets have one
# date a subject, so phantoms stand in: some keep their centile, some lose size from week
# 26, and the chosen network of a run on phantoms measures each on eight dates. The table
# sets the error of a velocity beside what a slow fetus lacks: the error of two outlines
# is divided by the weeks between, so that dates two weeks apart tell little of one fetus.

# %% mystnb={"figure": {"name": "fig-03-velocity", "caption": "Phantom fetuses on eight dates: abdominal circumference on INTERGROWTH-21st centiles, and growth between dates two weeks apart beside that of the mean. Lines: truth; crosses: measured."}, "image": {"alt": "Abdominal circumference over gestational age and its growth a week, lines of truth and crosses of measurements."}}
if p.data == "phantom":
    dates = velocity.several_dates(segmenters[best], p.seed)
    run.save_table(dates, "dates", "Phantom fetuses on several dates.")
    figure = charts.velocity_chart(dates, velocity.velocities(dates))
    run.save_figure(
        figure,
        "velocity",
        "Phantom fetuses on several dates, and their growth.",
        "Abdominal circumference over age, and its growth a week.",
    )

# %% mystnb={"table": {"name": "tab-03-velocity", "caption": "Growth of the phantoms' abdomens between two dates: mean absolute error of the velocity, and how much less than the mean a fetus that slows gains."}}
if p.data == "phantom":
    rates = velocity.velocity_table(dates)
    run.save_table(rates, "velocity", "Error of a velocity by weeks between.")
pretty(rates) if p.data == "phantom" else Markdown("Shown on phantoms.")

# %% [markdown]
# ## The ensemble of the diffusion model
#
# Members start from different noise. They are fused by the mean, by majority, or
# by STAPLE {cite:p}`warfield2004`, which weighs each by the reliability it
# estimates for it. Beside them stand in {numref}`tab-03-ensemble` one member alone, the
# *squared mean* that the released code calls STAPLE, and the condition network by
# itself, which costs one pass. Where the difference from it is not clearly above zero,
# all that the diffusion is seen to add is its uncertainty.

# %% mystnb={"table": {"name": "tab-03-ensemble", "caption": "Ways to fuse the ensemble, test part, and the difference of Dice from the condition network alone with its 95 % interval, from low to high."}}
diffusion = next((n for n in names if n.startswith("med_seg")), "")
ensemble, fused, sampled = members.get(diffusion), None, None
test_part = (table_test, arrays_test, references)
if diffusion:
    fused = ensembles.ensemble_table(
        segmenters[diffusion], ensemble, *test_part
    )
    run.save_table(fused, "ensemble", "Ways to fuse the ensemble.")
fused if fused is None else pretty(fused)

# %% [markdown]
# The released code takes 1,000 steps for each of 5 members. Few DDIM steps are
# worth taking only if a long sample of the *same* network is no better:
# {numref}`tab-03-sampling` has the same few test images each way, evenly spaced over
# the part: compare the rows with one another, not with {numref}`tab-03-results`. An
# interval around zero says that no loss was seen on so few images, no more.

# %% mystnb={"table": {"name": "tab-03-sampling", "caption": "DDIM beside one long ancestral sample of the same network: billions of multiply-accumulates (GMAC) and seconds for an image, and the difference of Dice with its 95 % interval, from low to high; n images."}}
if diffusion:
    sampled = ensembles.sampling_table(run, segmenters[diffusion], *test_part)
    run.save_table(sampled, "sampling", "DDIM beside ancestral sampling.")
sampled if sampled is None else pretty(sampled)

# %% tags=["remove-input"]
verdict = "No diffusion model was trained in this run."
if diffusion:
    verdict = ensembles.sampling_verdict(run, segmenters[diffusion], sampled)
Markdown(verdict)

# %% [markdown]
# ## What it costs
#
# Multiply-accumulates (GMAC: 10⁹) count convolutions and matrix products of everything
# an image needs: for the diffusion model all steps of all members (its passes), and its
# condition network once. Activations are roughly what a training step keeps of one
# image. Speed is that of this machine, in a batch and for one image alone
# ({numref}`tab-03-costs`). {numref}`fig-03-cost` says what the cost buys. Its
# dotted grey curve is of the few images of {numref}`tab-03-sampling`: read its slope,
# and not its height beside the points of the whole test part.

# %%
costs = network_cost.cost_table(segmenters, arrays_test.images[:8])
costs["train_s"] = costs["model"].map(train_s)
network_cost.add_costs(run, costs)
run.save_table(costs, "costs", "Parameters, operations, memory and speed.")
pretty(costs)

# %% mystnb={"figure": {"name": "fig-03-cost", "caption": "Dice on the test part over the operations of an image and over training time, with 95 % intervals; dotted in grey, single masks of the diffusion model by more and more steps, on a few test images only: other images than those of the points."}, "image": {"alt": "Dice of each network over its cost and over its training time; a curve for the diffusion model's steps."}}
dice = network_cost.dice_intervals(run.rows, names)
figure = segmentation.dice_over_cost(dice.merge(costs, on="model"), sampled)
run.save_figure(
    figure,
    "cost",
    "Dice over operations and training time.",
    "Dice of each network over its cost and its training time.",
)

# %% [markdown]
# ## What does it look at?
#
# Grad-CAM {cite:p}`selvaraju2017` needs a scalar and a layer. **Scalar:** the mean
# logit over the pixels that the network itself calls structure; for the diffusion
# model, the mean of the mask that its output stands for, at one step, the middle
# one of 1,000. **Layer:** the decoder's block at a quarter of the size. Beside it
# stand the gates of Attention U-Net, which are no explanation but part of the
# computation, and the spread of the ensemble ({numref}`fig-03-maps`). The three images
# are evenly spaced over the test part, not chosen by result.
#
# Checks ({numref}`tab-03-cam-checks`): a map that means something differs from that of
# the same network with shuffled weights (rank correlation `r` near 0,
# {cite:t}`adebayo2018`), and lies on the structure or its edge more than their areas
# would give. For the diffusion model,
# `r` with the maps at an early and at a late step says how much hangs on the choice of
# the step.

# %% mystnb={"table": {"name": "tab-03-cam-checks", "caption": "Checks of the Grad-CAM maps: shares beside areas, and rank correlation r with other maps."}}
explained = list(dict.fromkeys(n for n in (best, diffusion) if n))
found = {n: explain.cam_checks(segmenters[n], arrays_test) for n in explained}
checks = pd.concat([one[1] for one in found.values()], ignore_index=True)
run.save_table(checks, "cam_checks", "Checks of the Grad-CAM maps.")
pretty(checks)

# %% mystnb={"figure": {"name": "fig-03-maps", "caption": "Grad-CAM of the chosen network and of the diffusion model, gates of Attention U-Net, and the ensemble's standard deviation, on three test images; every map with its own scale."}, "image": {"alt": "Three ultrasound images above rows of heat-maps."}}
shown = {f"Grad-CAM\n{n}": one[0] for n, one in found.items()}
pick = evenly_spaced(explain.N_EXPLAINED, len(table_test))
some = arrays_test.select(pick)
if "attention_unet" in names:
    gated = segmenters["attention_unet"]
    gates = [explain.attention_gates(gated, image) for image in some.images]
    shown["gate at full size"] = [weights[0] for weights in gates]
    shown["gate at 1/2"] = [weights[1] for weights in gates]
if ensemble is not None:
    shown["ensemble SD"] = [uncertainty_map(ensemble[:, i]) for i in pick]
titles = [f"test image {i + 1}" for i in pick]
figure = segmentation_checks.map_grid(
    some.images, some.masks, shown, titles, some.sizes_hw
)
run.save_figure(
    figure,
    "maps",
    "Grad-CAM, gates and ensemble spread.",
    "Three ultrasound images above rows of heat-maps.",
)

# %% [markdown]
# Pixels are hidden behind the image's mean grey (deletion), or shown on it
# (insertion), in the order of the map and in a random order {cite:p}`petsiuk2018`. If a
# map finds what matters, its curve in {numref}`fig-03-deletion` runs above the random one
# in deletion, and falls sooner in insertion. A network that reads the edge of a structure
# does not miss its inside, however bright the map is there.
# {numref}`tab-03-deletion-means` has the means of the curves.

# %% mystnb={"figure": {"name": "fig-03-deletion", "caption": "By how much the explained scalar is away from that of the whole image, as pixels are hidden or shown; mean of the explained images."}, "image": {"alt": "Deletion and insertion curves by map order and by random order."}}
hidden = pd.concat([one[2] for one in found.values()], ignore_index=True)
run.save_table(hidden, "deletion", "Deletion and insertion curves.")
figure = segmentation_checks.replacement_curves(hidden)
run.save_figure(
    figure,
    "deletion",
    "Deletion and insertion curves of the Grad-CAM maps.",
    "Deletion and insertion curves by map and by random order.",
)

# %% mystnb={"table": {"name": "tab-03-deletion-means", "caption": "Mean change of the explained scalar over each curve, by map order and by random order."}}
areas = explain.curve_means(hidden)
run.save_table(areas, "deletion_means", "Means of the curves by order.")
pretty(areas)

# %% [markdown]
# Which network passes which check, from {numref}`tab-03-cam-checks` and
# {numref}`tab-03-deletion-means`; a check of single maps is passed if every explained
# image passes it, one of curves by their means over these few images:

# %% tags=["remove-input"]
Markdown(explain.cam_verdict(checks, areas))

# %% [markdown]
# ## Robustness
#
# Some test images are changed more and more: gain, speckle, an acoustic shadow,
# blur, a missing piece of the skull or of the abdomen's edge, rotation, size. Masks
# turn and shrink with the image. The diffusion model draws one member here.
# {numref}`tab-03-robustness-hardest` shows each change at the level where the mean of
# all networks is lowest, {numref}`fig-03-robustness` every level, and
# {numref}`fig-03-robustness-mm` what becomes of the circumference. These are means and
# medians of a few images (`robust_images`), without intervals: look for falls, and not
# for small gaps between networks.

# %% mystnb={"table": {"name": "tab-03-robustness-hardest", "caption": "Mean Dice of each network under each change, at the level that costs most."}}
changes = robust.robustness_table(
    segmenters, arrays_test, table_test, p.robust_images, p.seed
)
run.save_table(changes, "robustness", "Dice and circumference under changes.")
hardest = robust.largest_losses(changes)
run.save_table(hardest, "robustness_hardest", "Dice at the hardest level.")
pretty(hardest)

# %% mystnb={"figure": {"name": "fig-03-robustness", "caption": "Dice of each network on test images that are changed more and more."}, "image": {"alt": "Seven panels, one per change of the image, with Dice of each network over the strength of the change."}}
figure = segmentation_checks.robustness_curves(changes, "dice", "Dice")
run.save_figure(
    figure,
    "robustness",
    "Dice under changes of the image.",
    "Dice of each network over the strength of seven changes.",
)

# %% mystnb={"figure": {"name": "fig-03-robustness-mm", "caption": "Median absolute error of the circumference on the same images, in per cent; 100 % where nothing was found."}, "image": {"alt": "Seven panels, one per change of the image, with the error of the circumference of each network over the strength of the change."}}
figure = segmentation_checks.robustness_curves(
    changes, "circumference (%)", "circumference, error (%)"
)
run.save_figure(
    figure,
    "robustness_mm",
    "Error of the circumference under changes of the image.",
    "Error of each network over the strength of seven changes.",
)

# %% [markdown]
# ## What the source's own protocol would have reported
#
# One U-Net, trained for `source_epochs` on each of two splits, from `source_trainings`
# seeds: split by subject, and by image as the source does. Each is scored per image on the test images as they are, on augmented
# ones as the source's test loader gives, and as the Dice of all pixels pooled (of the
# whole part here, of four images at a time there), which lets large structures make up
# for small ones that were missed ({numref}`tab-03-source-protocol`). The intervals draw
# subjects in either split, and trainings where there are several; pooled pixels are
# pooled anew in each draw.
#
# A fault need not flatter. Frames of one examination help a network that remembers
# them, and one trained for minutes hardly does: equal rows do not clear a split by
# image. The two splits have other test images, and with one training each a small
# difference between the rows can be chance; columns of one row are the same networks.
# Altered images are other images, and may be harder.

# %% mystnb={"table": {"name": "tab-03-source-protocol", "caption": "One U-Net by the source's split and by the honest one, scored in three ways, with 95 % intervals over subjects; images of known subjects: share of the test images whose subject is in the training part, too."}}
protocol = source.reenact_source(run, table, arrays, np.array(part))
run.save_table(protocol, "source_protocol", "The source's ways to score.")
pretty(protocol)

# %% [markdown]
# {numref}`tab-03-source-table` sets the source's table beside this run's: what was
# reported, not a reproduction. Why the numbers can differ:
#
# - **Data.** HC18 and private scans there, by its README; what `data` names here.
# - **Budget.** 256 pixels and 50 epochs there, by its notebook. In `quick` images are
#   smaller, all but UNeXt are narrower, and epochs are fewer.
# - **Scoring.** Pooled pixels of altered images on the network's grid there; image by
#   image on the scan's grid here, where a small head counts as much as a large one.
# - **Words.** The source defines no mAP and names no machine for its minutes.
# - **Proof.** No test number of the source can be traced to a run.
#
# So a lower number here is no evidence against an architecture, and a higher one
# there is none for it. Only columns of one protocol can rank networks.

# %%
compared = report.source_comparison(scores, train_s)
run.save_table(compared, "source_table", "Source 002 beside this run.")
pretty(compared)

# %% [markdown]
# ## On real heads
#
# Reference runs of this chapter on real scans are kept with the book: their record,
# every number, table and figure. Sets that a run joins are tested on the same subjects
# as alone. A row is a network on a set, under one split, one augmentation and equal
# epochs; networks and epochs of two runs may differ, and how a diffusion model is
# trained is its own. `coverage` is the share of the chosen network's sizes inside an
# interval of 90 %. The record names the settings, and the table of the split the images.
# The test part of HC18 is taken from its annotated images, not from the challenge's own
# test set, whose outlines are withheld. A run on HC18 has no AC and no weight, for it
# has no abdomen. These networks are for comparing; what measures a scan after a clone
# was trained for longer ([](../howto/measure.md)).

# %% mystnb={"table": {"name": "tab-03-real", "caption": "Reference runs on real scans, test part of n images, with 95 % intervals over subjects."}} tags=["hide-input", "hide-output"]
reference = reference_table(
    "03_biometry_segmentation",
    ["dice", "iou", "adf_mm", "coverage"],
    [*fit.chosen_networks(p), "ellipse_fit"],
)
own = reference.reindex(columns=["data"])["data"].astype(str)
reference = reference[~own.str.contains("[,+]")].fillna("")
shown = pretty(plain(reference))
shown if len(reference) else Markdown("No reference run is kept yet.")

# %% [markdown]
# ## Saving the model

# %%
if p.save_model:
    card = fit.card_of(run, segmenters[best])
    segmenters[best].save(run.folder / "model", card)
run.finish()

# %% [markdown]
# ## Limits and intended use
#
# - **Not for clinical use.** Research and teaching only.
# - Narrow networks trained for minutes say little about published networks trained
#   for days; the order of networks may change with size, data and seed.
# - The phantoms' outlines are ellipses, which is easier to learn than anatomy.
# - MedSegDiff-V2 is built from its paper: its authors released no code of the
#   second version, and details that the paper leaves open are ours.
# - In `quick` the diffusion model is trained to tell the mask rather than the noise
#   (`predicts`), under more noise than published (`signal`), which short training
#   serves better; its condition network is narrowed less than the rest, and has no
#   dropout; `full` is as published. Compare it with its condition network alone
#   before you credit the diffusion.
#
# ## Key points
#
# 1. Count the parameters: what is called DUCK-Net may be something else.
# 2. Compare over the same subjects, with intervals, and with the cost beside.
# 3. Outlines become lengths by geometry and pixel size, and lengths become weight by
#    a named formula.
# 4. STAPLE is an estimate of reliability; a squared mean is not.
# 5. A Grad-CAM of a segmentation is undefined until scalar, layer (and step) are
#    named.
#
# ## Parameters to try
#
# | change | what to expect |
# |---|---|
# | `data=hc18` | real heads; no abdomen, so no AC and no weight |
# | `data=fetal_biometry_fp` | real heads, abdomens and femurs; `also=hc18` joins more heads |
# | `also=PATH` | a second source, results per source and pooled |
# | `networks=unext,duck_net_17` | fewer networks |
# | `predicts=noise`, `signal=1` | the diffusion as published; needs longer training |
# | `sampling_steps=50` | five times the cost of sampling |
# | `fusion=mean` | another way to fuse the ensemble |
# | `convention=outer-inner` | ages and weights of data whose BPD ends at the inner edge |
# | `profile=full` | published size; a graphics card |
#
# ## How to cite
#
# Cite this compendium (`CITATION.cff`), the data and the papers of the networks you
# use {cite:p}`wu2024,dumitru2023,oktay2018,valanarasu2022,chen2021`.
