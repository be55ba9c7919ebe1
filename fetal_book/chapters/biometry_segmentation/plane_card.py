"""Score the plane recogniser on the test part, once, and write its card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetal_book.chapters.biometry_segmentation.plane_pictures import (
    DRAWN,
    Picture,
    Scan,
    beside,
    cut,
    label,
    margin,
    read_scans,
    shown,
    shuffled,
    slices,
)
from fetal_lib.metrics.classification import confusion_matrix
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.predict.plane import PLANES, PlaneRecogniser
from fetal_phantoms.reserved import PLANE_RECOGNISER

N_OTHERS, FORMS = 200, 4
VOLUMES = {
    "adult MRI (OASIS-1)": "oasis1/**/*T1w.nii.gz",
    "fetal MRI (CRL)": "crl_atlas/STA??.nii.gz",
    "fetal MRI (spina bifida)": "spina_bifida_atlas/*/srr.nii.gz",
}
"""Scans that are no ultrasound, and were not trained on; scored where they are in the folder."""
HEAD = label("head")


@dataclass(frozen=True)
class Scored:
    """Scans and the probabilities (N, 4) that they were given."""

    scans: Sequence[Scan]
    probs: np.ndarray

    @property
    def planes(self) -> np.ndarray:
        return np.array([label(scan.plane) for scan in self.scans])

    @property
    def right(self) -> np.ndarray:
        return self.probs.argmax(1) == self.planes

    def of(self, source: str = "", plane: str = "") -> Scored:
        """Return the scans of a source and a plane; empty stands for any."""
        rows = [
            k for k, scan in enumerate(self.scans)
            if scan.source.startswith(source) and plane in ("", scan.plane)
        ]  # fmt: skip
        return Scored([self.scans[k] for k in rows], self.probs[rows])


def share(hits: np.ndarray, subjects: Sequence[str]) -> str:
    """Write a share with its 95 % interval by subjects; Wilson's where all or none are hits."""
    low, high = bootstrap_ci(hits, groups=np.array(subjects))
    return f"{hits.mean():.2%} ({low:.1%} to {high:.1%})"


def in_forms(model: PlaneRecogniser, scans: Sequence[Scan]) -> Scored:
    """Score scans in other forms: cut, stretched, padded, compressed, written on."""
    rng = np.random.default_rng([PLANE_RECOGNISER, 1])
    images = read_scans(scan for scan in scans for _ in range(FORMS))
    probs = model.probs(shown(image, rng) for image in images)
    return Scored([scan for scan in scans for _ in range(FORMS)], probs)


def others(root: Path, scans: Sequence[Scan]) -> Iterator[tuple[str, list[Picture]]]:
    """Yield kinds of pictures that show none of the planes, by name."""
    rng = np.random.default_rng([PLANE_RECOGNISER, 2])
    images = [image for image, _ in zip(read_scans(scans), range(N_OTHERS), strict=False)]
    yield "corners of scans", [margin(image, rng) for image in images]
    yield "scans with shuffled tiles", [shuffled(image, rng) for image in images]
    heads = [scan.path for scan in scans if scan.source == "HC18"]
    yield "bands beside a head", [band for path in heads for band in beside(path)]
    for draw in DRAWN:
        yield f"drawn: {draw.__name__}", [draw(rng) for _ in range(N_OTHERS)]
    yield "photographs", list(photographs(rng))
    for name, pattern in VOLUMES.items():
        paths = sorted(root.glob(pattern))
        if paths:
            yield name, list(mri(paths, rng))


def photographs(rng: np.random.Generator) -> Iterator[Picture]:
    """Yield cuts of the two photographs that come with scikit-learn."""
    from sklearn.datasets import load_sample_images

    for image in load_sample_images().images:
        grey = image.mean(axis=2).astype(np.uint8)
        for _ in range(N_OTHERS // 4):
            yield cut(grey, *rng.uniform(0.3, 1, 2), rng)


def mri(paths: Sequence[Path], rng: np.random.Generator) -> Iterator[Picture]:
    """Yield slices of up to forty volumes."""
    from fetal_lib.readers.volume import read_volume

    for path in paths[:40]:
        yield from slices(read_volume(path).data, 5, rng)


def plane_card(
    model: PlaneRecogniser,
    root: str | Path,
    scans: Sequence[Scan],
    counts: dict[str, int],
    part: str = "test",
) -> str:
    """Score a part of the split and return the card, Markdown."""
    spec = model.spec
    test = [scan for scan in scans if scan.part == part]
    plain = Scored(test, model.probs(read_scans(test)))
    learnt = ", ".join(f"{n} {name}" for name, n in counts.items())
    return "\n".join([
        "# Plane recogniser: head, abdomen, femur, other",
        "",
        f"Xception of width {spec.width} with {spec.n_middle} middle module on images fitted into "
        f"{spec.side} x {spec.side} pixels, trained from random weights on pictures: {learnt} "
        f"(seed {PLANE_RECOGNISER}), by `python -m "
        "fetal_book.chapters.biometry_segmentation.plane_recogniser`.",
        "",
        "The scans are HC18, the images of FETAL_PLANES_DB that the multicentre biometry benchmark "
        "names, and two sets of fetal brain anomalies, all CC BY 4.0. The weights have nothing of "
        "the benchmark's tables but which of them names an image, its plane; the machine parts the "
        "scores below, and the calliper points (CC BY-NC-SA 4.0) are not read. `other` is corners "
        "and shuffled tiles of scans, what lies beside heads, MRI phantoms, drawn screens, noise "
        "and photographs. Seven tenths of the subjects train, one sets temperature and operating "
        "point, two test it, once.",
        "",
        f"An image is a head from a probability of {spec.head_from:.3f} on; temperature "
        f"{spec.temperature:.3f}.",
        "",
        *_recognised(part, plain, in_forms(model, test)),
        *_confusion(plain),
        *_declined(plain, spec.head_from),
        *_others(model, Path(root), test),
        "Abdomens and femurs come from two hospitals of one city only; there is no thorax, no "
        "cervix and no wrong plane of a head among `other`, so a plane that is no standard plane "
        "may be taken for one. It measures nothing. Research and teaching only, not for clinical "
        "use.",
        "",
    ])  # fmt: skip


def _recognised(part: str, plain: Scored, changed: Scored) -> list[str]:
    lines = [
        f"| {part} subjects | images | subjects | recognised | in another form |",
        "|---|---|---|---|---|",
    ]
    pairs = sorted({(scan.source, scan.plane) for scan in plain.scans})
    for source, plane in [("", ""), ("biometry", ""), *pairs]:
        one, other = plain.of(source, plane), changed.of(source, plane)
        subjects = [scan.subject for scan in one.scans]
        name = f"{source}: {plane}" if plane else f"all of {source}" if source else "all"
        right = share(one.right, subjects)
        also = share(other.right, [scan.subject for scan in other.scans])
        lines.append(f"| {name} | {len(subjects)} | {len(set(subjects))} | {right} | {also} |")
    return [*lines, ""]


def _confusion(plain: Scored) -> list[str]:
    table = confusion_matrix(plain.planes, plain.probs.argmax(1), len(PLANES))[:-1]
    return [
        f"| shown | {' | '.join(PLANES)} |",
        "|---|---|---|---|---|",
        *(f"| {PLANES[k]} | {' | '.join(map(str, row))} |" for k, row in enumerate(table)),
        "",
    ]


def _declined(plain: Scored, head_from: float) -> list[str]:
    hc18 = plain.of("HC18").probs[:, HEAD] < head_from
    wrong = plain.probs[plain.planes != HEAD, HEAD] >= head_from
    return [
        f"Of the heads of HC18 {hc18.sum()} of {len(hc18)} are declined; of abdomens and femurs "
        f"{wrong.sum()} of {len(wrong)} are taken for a head.",
        "",
    ]


def _others(model: PlaneRecogniser, root: Path, test: Sequence[Scan]) -> list[str]:
    lines = ["| no plane | pictures | named `other` | taken for a head |", "|---|---|---|---|"]
    for name, images in others(root, test):
        probs = model.probs(images)
        named, heads = probs.argmax(1) == label("other"), probs[:, HEAD] >= model.spec.head_from
        lines.append(f"| {name} | {len(images)} | {named.sum()} | {heads.sum()} |")
    return [*lines, ""]
