"""Read all scans once: check, segment by the mixture, and keep what the chapter needs of each."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.runs.session import Run
from fetal_lib.baselines.mni_registration import in_mni_space
from fetal_lib.baselines.mni_space import (
    GRID_MM,
    SHAPE,
    brain_mask,
    grid_affine,
    half_voxel_off,
    on_grid,
    standard_t1,
    turned_and_moved,
)
from fetal_lib.baselines.tissue_maps import block_means
from fetal_lib.baselines.tissue_mixture import segment_tissues
from fetal_lib.data.layouts.adult_scan import AdultScan, read_scan
from fetal_lib.metrics.segmentation import dice
from fetal_lib.training.mri_input import network_input

CODE = (
    "fetal_lib.baselines.tissue_mixture",
    "fetal_lib.baselines.tissue_maps",
    "fetal_lib.training.mri_input",
    "fetal_lib.baselines.mni_space",
    "fetal_lib.baselines.mni_registration",
    "fetal_lib.data.adult_mri_quality",
    "fetal_book.chapters.brain_age.tissues",
)
TISSUES = {"csf": 1, "gray": 2, "white": 3}
INTERPOLATED, REGISTERED = RESAMPLED = ("interpolated", "registered")
"""What the saved model knows of each scan besides how it came."""


@dataclass(frozen=True)
class Tissues:
    """Hold what was made of each scan."""

    # ``reasons`` (why a scan is not used, empty for most), voxel volumes ``csf_ml, gray_ml,
    # white_ml`` in template space, ``gray_mean, csf_mean`` and ``noise`` relative to white matter,
    # ``brightness_0`` to ``brightness_19`` (see `even_out`), and ``dice_csf, dice_gray,
    # dice_white`` where there is truth (else NaN)
    table: pd.DataFrame
    maps: np.ndarray  # float16 (N, 3, 45, 54, 45): shares of CSF, gray and white on a 4 mm grid
    resampled: np.ndarray  # (2, N, ...), the same of each scan in each way of `RESAMPLED`, or empty
    images: np.ndarray  # float16 (N, 1, side, side, side): what the age networks are fed
    labels: Path  # reference labels, a compressed array a row number; see `read_labels`
    rows: np.ndarray  # int (N,): row numbers in that file

    @property
    def volumes_ml(self) -> np.ndarray:
        """CSF, gray and white matter in mL of template space, float (N, 3)."""
        return self.table[[f"{name}_ml" for name in TISSUES]].to_numpy(float)

    @property
    def registered(self) -> np.ndarray:
        """Whether a scan that was turned and moved could be registered, bool (N,); one that could
        not has the maps of the scan as it came in its place.
        """
        return self.table["registered"].to_numpy(float) == 1

    @property
    def brightness(self) -> np.ndarray:
        """Weights of the brightness polynomials, float (N, B)."""
        names = [name for name in self.table if name.startswith("brightness_")]
        return self.table[names].to_numpy(float)

    def select(self, chosen: np.ndarray) -> Tissues:
        """Return what was made of the chosen scans, bool (N,)."""
        table = self.table[chosen].reset_index(drop=True)
        maps, resampled = self.maps[chosen], self.resampled[:, chosen]
        return Tissues(table, maps, resampled, self.images[chosen], self.labels, self.rows[chosen])


def segment_all(
    run: Run, table: pd.DataFrame, source: dict | None = None, resampled: bool = False
) -> Tissues:
    """Check and segment every scan of a table, once for the same data and code.

    `source` says in plain values where the scans come from, when it is not the run's data.
    `resampled` is for scans that the saved model learns from, and takes three times as long.
    """
    p = run.parameters

    def compute(folder: Path) -> None:
        work = _work(table, p.age_spacing_mm, p.age_side, resampled)
        _compute(folder, work, len(table), run.progress)

    spec = {"name": "tissue_mixture", "grid_mm": GRID_MM}
    spec |= {"age_spacing_mm": p.age_spacing_mm, "age_side": p.age_side, "resampled": resampled}
    outcome = run.fit_or_reuse(spec, source or {}, CODE, compute, seed=0)
    measures = pd.read_csv(outcome.folder / "measures.csv", keep_default_na=False)
    numbers = [name for name in measures if name != "reasons"]
    measures[numbers] = measures[numbers].apply(pd.to_numeric, errors="coerce")
    arrays = [np.load(outcome.folder / f"{name}.npy") for name in ("maps", "resampled", "images")]
    rows = np.arange(len(measures))
    return Tissues(measures, *arrays, outcome.folder / "labels.npz", rows)


def read_labels(tissues: Tissues, rows: np.ndarray) -> np.ndarray:
    """Return reference labels of some rows, uint8 (n, 91, 109, 91)."""
    with np.load(tissues.labels) as file:
        return np.stack([file[str(int(row))] for row in rows])


def _compute(
    folder: Path, work: Iterator[tuple], n_scans: int, progress: Callable[..., None]
) -> None:
    rows, maps, resampled, images, labels = [], [], [], [], {}
    for row, shares, other_shares, image, label in work:
        labels[str(len(rows))] = label
        rows.append(row)
        maps.append(shares)
        resampled.append(other_shares)
        images.append(image)
        if len(rows) % 20 == 0:
            progress("stage", text=f"segmented {len(rows)} of {n_scans} scans")
    np.save(folder / "maps.npy", np.stack(maps))
    np.save(folder / "resampled.npy", np.stack(resampled, axis=1))
    np.save(folder / "images.npy", np.stack(images)[:, None])
    np.savez_compressed(folder / "labels.npz", **labels)
    pd.DataFrame(rows).to_csv(folder / "measures.csv", index=False)


def _work(table: pd.DataFrame, spacing_mm: float, side: int, resampled: bool) -> Iterator[tuple]:
    from threadpoolctl import threadpool_limits

    jobs = table[["subject", "path", "labels_path"]].itertuples(index=False, name=None)
    # One thread a scan: threads of the linear algebra within each would wait for one another.
    with threadpool_limits(1), ThreadPoolExecutor(2) as pool:
        yield from pool.map(lambda job: _one(*job, spacing_mm, side, resampled), jobs)


def read_in_mni(
    subject: str, path: Path, labels_path: Path | None = None
) -> tuple[AdultScan, list[str]]:
    """Read a scan and bring it to MNI space where it is elsewhere; return why it cannot be used."""
    scan = read_scan(subject, path, labels_path)
    volume, reasons, _ = in_mni_space(scan.volume)
    return replace(scan, volume=volume), reasons


def _one(
    subject: str,
    path: Path,
    labels_path: Path | None,
    spacing_mm: float,
    side: int,
    resampled: bool,
) -> tuple[dict, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return measures, maps, resampled maps, network input and reference labels of one scan."""
    scan, reasons = read_in_mni(subject, path, labels_path)
    ways = len(RESAMPLED) if resampled else 0
    if reasons:
        grid = (3, *(n // 2 for n in SHAPE))
        empty = [np.zeros(grid, np.float16), np.zeros((ways, *grid), np.float16)]
        empty += [np.zeros((side,) * 3, np.float16), np.zeros(SHAPE, np.uint8)]
        return {"reasons": "; ".join(reasons)}, *empty
    t1, affine = standard_t1(scan.volume.data, scan.volume.affine), grid_affine()
    mask = brain_mask(t1, affine)
    found = segment_tissues(t1, affine, mask)
    row = {"reasons": "; ".join(reasons)}
    voxel_ml = GRID_MM**3 / 1000
    row |= {f"{n}_ml": float((found.labels == k).sum()) * voxel_ml for n, k in TISSUES.items()}
    row |= {f"brightness_{i}": value for i, value in enumerate(found.brightness)}
    row |= {"csf_mean": found.means[0], "gray_mean": found.means[1], "noise": found.sds[1]}
    truth = None if scan.labels is None else on_grid(scan.labels, scan.volume.affine, 0)
    for name, k in TISSUES.items():
        row[f"dice_{name}"] = np.nan if truth is None else dice(truth == k, found.labels == k)
    even = np.where(mask, found.corrected, 0)
    image = network_input(even, affine, mask, spacing_mm, side).astype(np.float16)
    others = _resampled(scan) if resampled else []
    row["registered"] = int(all(t1 is not None for t1 in others)) if resampled else np.nan
    maps = block_means(found.shares).astype(np.float16)
    other_maps = np.zeros((ways, *maps.shape), np.float16)
    for k, other in enumerate(others):
        shares = found.shares if other is None else segment_tissues(other, affine).shares
        other_maps[k] = block_means(shares)
    return row, maps, other_maps, image, found.labels


def _resampled(scan: AdultScan) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the scan on the grid interpolated once more, and turned, moved and registered; None
    where that is declined. A scan is always turned alike.
    """
    volume = scan.volume
    soft = standard_t1(*half_voxel_off(volume.data, volume.affine))
    rng = np.random.default_rng(zlib.crc32(scan.subject.encode()))
    elsewhere = replace(volume, affine=turned_and_moved(volume.affine, rng))
    back, reasons, _ = in_mni_space(elsewhere)
    return soft, None if reasons else standard_t1(back.data, back.affine)
