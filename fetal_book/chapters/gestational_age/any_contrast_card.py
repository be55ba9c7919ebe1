"""Calibrate the shipped model of gestational age on brains it has not seen, score it, write it.

Held-out brains get a head size of their own, drawn from INTERGROWTH's norm for their age, so that
volume tells their age no better than it does in life. What is no fetal brain is drawn beside them.
Other atlases in the folder are scored at the end; nothing is chosen by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_lib.baselines.brain_volume import HC_BY_DIAMETER
from fetal_lib.data.layouts.fetal_mri import iter_scans, read_cases
from fetal_lib.data.layouts.fetal_scan import FetalScan
from fetal_lib.growth.intergrowth_size import mean_mm, sd_mm
from fetal_lib.metrics.intervals import bootstrap_ci, conformal_quantile
from fetal_lib.models.fetal_brain_net import FetalBrainNet, networks_to_onnx
from fetal_lib.predict.fetal_brain_shape import ShapeAge
from fetal_lib.predict.gestational_age_any import AnyContrastModel, AnyContrastSpec
from fetal_lib.predict.gestational_age_cases import list_cases, read_case
from fetal_lib.predict.gestational_age_place import SIDE
from fetal_lib.predict.onnx_network import OnnxVolumeNetwork
from fetal_lib.predict.self_test import Sample, save_sample
from fetal_lib.readers.volume_grid import Volume
from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.fetal_brain.painted import Anatomy, Painted, draw_other, draw_scan
from fetal_phantoms.fetal_brain.write import as_int16
from fetal_phantoms.reserved import GESTATIONAL_AGE

COVERAGE = 0.9
SLACK = 1.4  # a real brain may be so much stranger than the strangest held-out scan
SAMPLE_SEED, SAMPLE_DAYS = 30, 210.0
DRAWS_A_TEMPLATE, PHANTOMS_DRAWN, OTHERS_DRAWN = 2, 16, 20  # of each fold
OPEN = AnyContrastSpec(
    n_shapes=1,
    shape_weight=0.5,
    relative_half_width=float("inf"),
    interval_coverage=COVERAGE,
    ga_range_days=(133.0, 273.0),
    brain_ml_range=(30.0, 600.0),
    min_likeness=0.0,
    most_apart_days=float("inf"),
    trained_on="phantoms and the spina bifida atlas (CC0)",
)
ATLASES = {"crl_atlas": "CRL atlas", "dhcp_fetal_atlas": "dHCP fetal atlas"}
"""Folders of sets that nothing was learnt or chosen from; scored where they are."""
DRAWN = ("template", "phantom")


def model_of(
    networks: Sequence[FetalBrainNet], shapes: Sequence[ShapeAge], spec: AnyContrastSpec
) -> AnyContrastModel:
    """Return networks, exported, and regressions under a spec."""
    exported = OnnxVolumeNetwork(networks_to_onnx(networks, SIDE))
    return AnyContrastModel(exported, shapes, replace(spec, n_shapes=len(shapes)))


def sized(painted: Painted, hc_mm: float, ga_days: float = float("nan")) -> FetalScan:
    """Return a drawn scan as one in millimetres, of a head of a circumference."""
    n = np.count_nonzero(painted.tissues) or np.count_nonzero(painted.image)
    edge = float(hc_mm / HC_BY_DIAMETER / np.cbrt(6 * n / np.pi))
    volume = Volume(painted.image, np.diag([edge, edge, edge, 1.0]), (edge,) * 3)
    return FetalScan("drawn", ga_days, "volume", volume, None, None, {})


def validation_table(
    models: Sequence[AnyContrastModel],
    scans: Sequence[FetalScan],
    atlas: Sequence[Anatomy],
    phantoms: Sequence[Anatomy],
) -> pd.DataFrame:
    """Return what each fold's network says of brains it has not seen, and of what is none.

    The kinds are ``template`` and ``phantom``, drawn anew from the scans behind the labels;
    ``painted``, templates in contrasts that no scanner has; ``scan``, the template's own; and
    ``other``, which is no fetal brain.
    """
    rows, folds = [], len(models)
    for fold, model in enumerate(models):
        rng = np.random.default_rng([GESTATIONAL_AGE, 100 + fold])
        own = [a for k, a in enumerate(atlas) if k % folds == fold] * DRAWS_A_TEMPLATE
        drawn = [a for k, a in enumerate(phantoms) if k % folds == fold][:PHANTOMS_DRAWN]
        painted = [a for k, a in enumerate(atlas) if k % folds == fold]
        for kind, group in (("template", own), ("phantom", drawn), ("painted", painted)):
            for one in group:
                weeks = one.ga_days / 7
                hc = mean_mm("HC", weeks) + rng.normal() * sd_mm("HC", weeks)
                scan = draw_scan(one, rng, textured=kind != "painted")
                rows.append(_row(kind, one.ga_days, model.read(sized(scan, hc))))
        for k, scan in enumerate(scans):
            if k % folds == fold:
                rows.append(_row("scan", scan.ga_days, model.read(scan)))
        for _ in range(OTHERS_DRAWN):
            one = (*atlas, *phantoms)[int(rng.integers(len(atlas) + len(phantoms)))]
            found = model.read(sized(draw_other(one, rng), rng.uniform(160, 330)))
            rows.append(_row("other", np.nan, found))
    return pd.DataFrame(rows)


def _row(kind: str, ga_days: float, found: object) -> dict[str, object]:
    names = "ga_days low_days high_days shape_days volume_days likeness brain_ml reason".split()
    told = {f"told_{name}": getattr(found, name) for name in names}
    return {"kind": kind, "ga_days": ga_days} | told


def calibrated(spec: AnyContrastSpec, table: pd.DataFrame) -> AnyContrastSpec:
    """Set when to decline by the held-out scans, weight and interval by templates drawn anew."""
    least = float(table.loc[table["kind"] == "scan", "told_likeness"].min()) / SLACK
    known = table[(table["kind"] == "template") & (table["told_likeness"] >= least)]
    days, shape, volume = (
        known[name].to_numpy(float) for name in ("ga_days", "told_shape_days", "told_volume_days")
    )
    gap = shape - volume
    weight = float(np.clip(gap @ (days - volume) / (gap @ gap), 0, 1))
    spec = replace(spec, shape_weight=weight, min_likeness=least)
    both = spec.combined(shape, volume)
    half = float(conformal_quantile(np.abs(both - days) / both, COVERAGE))
    apart = float(np.abs(gap).max()) * SLACK
    return replace(spec, most_apart_days=apart, relative_half_width=half)


def judged(table: pd.DataFrame, spec: AnyContrastSpec) -> pd.DataFrame:
    """Return a table with the ages that a calibrated model tells of the same answers."""
    shape, volume = (table[f"told_{one}_days"].to_numpy(float) for one in ("shape", "volume"))
    both = spec.combined(shape, volume)
    low, high = spec.ga_range_days
    kept = (table["told_likeness"] >= spec.min_likeness) & (both >= low) & (both <= high)
    kept &= np.abs(shape - volume) <= spec.most_apart_days
    both = np.where(kept, both, np.nan)
    half = spec.relative_half_width * both
    told = {"told_ga_days": both, "told_low_days": both - half, "told_high_days": both + half}
    return table.assign(**told)


def write_sample(model: AnyContrastModel, folder: Path) -> None:
    """Write a phantom that no network has seen, and the age that the model gives for it."""
    import nibabel

    phantom = make_fetal_brain(SAMPLE_SEED, ga_days=SAMPLE_DAYS, spacing_mm=2.0)
    image = nibabel.Nifti1Image(as_int16(phantom.t2, phantom.labels), phantom.affine)
    image.header.set_xyzt_units("mm")
    place = folder / "self_test" / "phantom_T2w.nii.gz"
    place.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, place)
    days = model.read(read_case(list_cases([place])[0])).ga_days
    source = f"a phantom of {SAMPLE_DAYS / 7:.0f} weeks, made by this project"
    save_sample(folder, Sample(place.name, round(days, 2), 1.0, "days", source))


def atlas_table(model: AnyContrastModel, folder: Path) -> pd.DataFrame:
    """Return what a model says of each template of an atlas, read with its mask."""
    return pd.DataFrame(
        _row("template", scan.ga_days, model.read(scan)) for scan in iter_scans(read_cases(folder))
    )


def error_text(table: pd.DataFrame, column: str) -> str:
    """Return the mean absolute error of a column of days in Markdown, of phantoms with interval."""
    error = (table[column] - table["ga_days"]).abs().dropna().to_numpy()
    if not len(error):
        return "none told"
    interval = ""
    if (table["kind"] == "phantom").all():
        low, high = bootstrap_ci(error, seed=0)
        interval = f" ({low:.1f} to {high:.1f})"
    return f"{error.mean():.1f}{interval}, n {len(error)}"


def card_of(
    spec: AnyContrastSpec,
    held_out: pd.DataFrame,
    atlases: dict[str, pd.DataFrame],
    n_phantoms: int,
) -> str:
    """Return the model card, Markdown."""
    brains, others = held_out[held_out["kind"] != "other"], held_out[held_out["kind"] == "other"]
    words = {"scan": "the templates' own scans (T2)"}
    words |= {kind: f"{kind}s, drawn anew" for kind in DRAWN}
    words["painted"] = "templates in contrasts at random"
    sets = {f"held-out: {words[kind]}": t for kind, t in brains.groupby("kind")} | atlases
    lines = ["| scans | shape alone | volume alone | both | interval holds | declined |"]
    lines.append("|---|---|---|---|---|---|")
    for name, table in sets.items():
        told = table.dropna(subset=["told_ga_days"])
        inside = told["ga_days"].between(told["told_low_days"], told["told_high_days"])
        errors = [
            error_text(table, f"told_{one}") for one in ("shape_days", "volume_days", "ga_days")
        ]
        held = f"{int(inside.sum())} of {len(told)}"
        missed = f"{len(table) - len(told)} of {len(table)}"
        lines.append(f"| {name} | {' | '.join(errors)} | {held} | {missed} |")
    caught = int(others["told_ga_days"].isna().sum())
    return f"""# Gestational age from fetal brain MRI of any contrast

Two small 3D networks find the brain. Two ages follow: by its shape, ridge regression on the ranks
of its grey values with the size taken away; and by its volume, the age at which a head holds that
much (INTERGROWTH). Both are combined. Made by
`python -m fetal_book.chapters.gestational_age.any_contrast`.

**Learnt from** 15 templates of the spina bifida atlas with their labels, 21 to 34 weeks (Fidon et
al. 2021, CC0), and {n_phantoms} phantoms of this project, 19 to 39 weeks: the networks from label
maps painted in any contrast, the regressions from the scans behind them under gamma, bias field,
blur and noise. One network and one regression saw every other template and phantom. No scan of a
person is inside.

**Mean absolute error in days** (with a 95 % interval for phantoms; templates share fetuses):

{chr(10).join(lines)}

Held-out rows: each half of the model on templates and phantoms that it has not seen; neighbours of
a template by a week were learnt from and share fetuses with it. Drawn anew, head sizes are drawn
from the norm, and many scans have a womb or a halo around the brain. The weight of the shape
({spec.shape_weight:.2f}) and the interval were set on templates drawn anew, the least likeness on
the templates' own scans. Of {len(others)} drawn organs, noise and brains that lie wrongly {caught}
are declined. Rows of an atlas: its templates with their masks, by the shipped model; nothing was
learnt or chosen from them (CRL: Gholipour et al. 2017). A template is the average of several
fetuses: errors on single fetuses are larger.

**Interval**: {spec.interval_coverage:.0%}, ± {spec.relative_half_width:.1%} of the age, conformal
on templates drawn anew. **Declined**: below a likeness of {spec.min_likeness:.2f}; shape and volume
more than {spec.most_apart_days:.0f} days apart; a brain outside {spec.brain_ml_range[0]:.0f} to
{spec.brain_ml_range[1]:.0f} mL; an age outside 19 to 39 weeks; noise.

**It cannot** tell the age of a brain with a disease: a small brain is read as young. It was not
tried on single fetuses of a clinic, on twins, or on stacks of thick slices. Not for clinical use.
"""


def finish_model(
    networks: Sequence[FetalBrainNet],
    shapes: Sequence[ShapeAge],
    scans: Sequence[FetalScan],
    atlas: Sequence[Anatomy],
    phantoms: Sequence[Anatomy],
    root: Path,
    folder: Path,
) -> AnyContrastModel:
    """Calibrate networks and regressions, score them, and write the model, card and sample."""
    pairs = zip(networks, shapes, strict=True)
    models = [model_of([network], [shape], OPEN) for network, shape in pairs]
    table = validation_table(models, scans, atlas, phantoms)
    spec = calibrated(OPEN, table)
    model = model_of(networks, shapes, spec)
    table = judged(table, spec)
    table.to_csv(folder / "training" / "validation.csv", index=False)
    atlases = {}
    for name, words in ATLASES.items():
        if (root / name).is_dir():
            atlases[words] = atlas_table(model, root / name)
            atlases[words].to_csv(folder / "training" / f"{name}.csv", index=False)
    model.save(folder, card_of(model.spec, table, atlases, len(phantoms)))
    write_sample(model, folder)
    return model
