"""Segment CSF, gray and white matter without learning: mixture, priors, uneven brightness, field.

Intensities of a stripped T1 scan are a mixture of three Gaussians times a smooth brightness,

    y(x) = b(x) (mu_k + noise_k),    p(k | x) proportional to prior_k(x) exp(beta n_k(x)),

with `prior` the ICBM152 tissue probabilities, softened, since the template is a young adult and
sulci and ventricles are not; b a polynomial in space; and n_k the share of class k among the
face neighbours (a Markov field, solved by mean fields). Expectation-maximisation runs on every
second voxel; the field is applied at full size. FSL's FAST is built from the same parts. What
comes out is a *reference*, and not the truth: on phantoms, which have a truth, a test holds how
far the two agree.

References
----------
Zhang Y, Brady M, Smith S. Segmentation of brain MR images through a hidden Markov random field
model and the expectation-maximization algorithm. IEEE TMI 2001;20:45-57. doi:10.1109/42.906424
Van Leemput K et al. Automated model-based tissue classification of MR images of the brain. IEEE
TMI 1999;18:897-908. doi:10.1109/42.811270
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_lib.baselines.mni_space import brain_mask, template_on

START = (0.25, 0.55, 0.85)  # quantiles of the intensities that the means start from
MIN_VOXELS = 2000
BETA = 0.1  # weight of the Markov field
N_STEPS = 25  # of expectation-maximisation
NOISE = np.array([1.3, 1.0, 1.0])
"""SD of each tissue as a multiple of the SD that gray and white share: fluid is uneven."""
STANDARD = (0.25, 0.65, 1.0)
"""Where CSF, gray and white matter lie on the scale of `standard_shares`."""
PURE = [0, 2, 4]
"""Kinds of voxel that hold one tissue only."""


@dataclass(frozen=True)
class TissueMixture:
    """Hold a segmentation and the mixture behind it.

    Attributes
    ----------
    labels : uint8 (X, Y, Z), 0 background, 1 CSF, 2 gray matter, 3 white matter.
    shares : float32 (3, X, Y, Z), how much of a voxel is each tissue, whatever the contrast: see
        `standard_shares`; sums to 1 in the brain and is 0 outside.
    corrected : float32 (X, Y, Z), intensity without the uneven brightness, white matter at 1.
    means, sds : float64 (3,), of the corrected intensity of each tissue.
    brightness : float64 (B,), weights of the polynomial that the scan was divided by; `even_out`
        does it again.
    """

    labels: np.ndarray
    shares: np.ndarray
    corrected: np.ndarray
    means: np.ndarray
    sds: np.ndarray
    brightness: np.ndarray


def segment_tissues(
    t1: np.ndarray,
    affine: np.ndarray,
    mask: np.ndarray | None = None,
    bias_degree: int = 3,
) -> TissueMixture:
    """Segment a stripped T1 scan that is aligned with MNI space.

    Parameters
    ----------
    t1 : float (X, Y, Z), RAS; 0 outside the head.
    affine : (4, 4), voxel to mm.
    mask : bool (X, Y, Z), the brain and its fluid; without it, what `brain_mask` finds.
    bias_degree : degree of the brightness polynomial, 0 for none.

    Raises
    ------
    ValueError
        If the scan is not 3D, fewer than 2000 voxels lie in the mask, or no mixture is found.

    Examples
    --------
    >>> from fetal_phantoms.adult_brain.brain import make_adult_brain
    >>> phantom = make_adult_brain(3, age_years=60, spacing_mm=4, space="mni")
    >>> found = segment_tissues(phantom.t1, phantom.affine)
    >>> bool((found.labels == phantom.labels)[phantom.labels > 0].mean() > 0.7)
    True
    """
    if np.ndim(t1) != 3:
        raise ValueError(f"t1 has shape {np.shape(t1)}; it must be (X, Y, Z), one 3D scan")
    t1 = np.nan_to_num(np.asarray(t1, np.float32))
    priors = template_on(t1.shape, affine).priors
    if mask is None:
        mask = brain_mask(t1, affine)
    if np.count_nonzero(mask) < MIN_VOXELS:
        raise ValueError(
            f"mask holds {np.count_nonzero(mask)} voxels; at least {MIN_VOXELS} are needed: is "
            "this a brain, in mm of MNI space?"
        )
    level = float(np.median(t1[mask]))
    scaled = t1 / level
    sub = tuple(slice(None, None, 2) for _ in range(3))
    chosen = np.zeros_like(mask)
    chosen[sub] = mask[sub]
    basis = _polynomials(chosen, bias_degree)
    with np.errstate(invalid="ignore"):
        mixture, weights = _fit(scaled[chosen], priors[:, chosen], basis)
    if not np.isfinite(mixture.means).all():
        raise ValueError("t1 has no three tissues from dark to bright: is this a T1 scan?")
    brightness = level * mixture.means[2] * weights
    corrected = even_out(t1, mask, brightness)
    mixture = Mixture(
        mixture.means / mixture.means[2], mixture.sds / mixture.means[2], mixture.abundance
    )
    labels = _apply(corrected, mask, priors, mixture)
    shares = standard_shares(t1, affine, brightness, mixture.means[1])
    return TissueMixture(labels, shares, corrected, mixture.means, mixture.sds, brightness)


def even_out(t1: np.ndarray, mask: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    """Divide a scan by a brightness polynomial; white matter comes out at 1.

    Parameters
    ----------
    t1 : (X, Y, Z)
    mask : bool (X, Y, Z); outside it is 0.
    brightness : float (B,), from `segment_tissues` on the same grid.

    Returns
    -------
    float32 (X, Y, Z)
    """
    degree = next(d for d in range(12) if len(_exponents(d)) == len(brightness))
    weights = np.zeros((degree + 1,) * 3)
    weights[tuple(np.transpose(_exponents(degree)))] = brightness
    # Axis after axis, which takes far fewer products than a polynomial at every voxel.
    field = np.einsum("ijk,xi,yj,zk->xyz", weights, *_axes(mask.shape, degree), optimize=True)
    corrected = np.zeros(t1.shape, np.float32)
    corrected[mask] = t1[mask] / np.maximum(field[mask], 0.2 * brightness[0])
    return corrected


def _exponents(degree: int) -> list[tuple[int, int, int]]:
    """Return the exponents of x, y and z of all terms up to a degree."""
    return [
        (i, j, k)
        for i in range(degree + 1)
        for j in range(degree + 1 - i)
        for k in range(degree + 1 - i - j)
    ]


def _axes(shape: tuple[int, ...], degree: int) -> list[np.ndarray]:
    """Return the powers of each axis from -1 to 1: (X, D + 1), (Y, D + 1), (Z, D + 1)."""
    return [np.vander(np.linspace(-1, 1, n), degree + 1, increasing=True) for n in shape]


def _polynomials(chosen: np.ndarray, degree: int) -> np.ndarray:
    """Return the polynomial basis at the chosen voxels, float32 (N, B)."""
    axes = _axes(chosen.shape, degree)
    x, y, z = (axis[at].T for axis, at in zip(axes, np.nonzero(chosen), strict=True))
    terms = [x[i] * y[j] * z[k] for i, j, k in _exponents(degree)]
    return np.stack(terms, axis=1).astype(np.float32)


def _fit(values: np.ndarray, priors: np.ndarray, basis: np.ndarray) -> tuple[Mixture, np.ndarray]:
    """Return the mixture and the weights of the brightness (B,) by EM."""
    start = np.quantile(values, START)
    mixture = Mixture(start, np.full(3, 0.1 * start[2]), np.array([0.3, 0.5, 0.4, 0.6, 0.5]))
    weights = np.zeros(basis.shape[1])
    weights[0] = 1.0
    for step in range(N_STEPS):
        corrected = values / np.maximum(basis @ weights, 0.2)
        member = mixture.members(corrected, priors)
        total = member.sum(axis=1) + 1e-6
        means = member[PURE] @ corrected / total[PURE]
        spread = (member[PURE] * (corrected - means[:, None]) ** 2).sum(axis=1) / total[PURE]
        sds = np.sqrt(np.maximum(spread, 9e-4 * means[2] ** 2))
        sds = np.full(3, np.sqrt((sds[1:] ** 2).mean())) * NOISE
        if step >= 3 and basis.shape[1] > 1:
            weights = _brightness(values, member, means, sds, basis)
        level = float((basis @ weights).mean())
        weights, means, sds = weights / level, means * level, sds * level
        mixture = Mixture(means, sds, mixture.abundance * total / mixture.expected(priors))
    return mixture, weights


def _brightness(
    values: np.ndarray, member: np.ndarray, means: np.ndarray, sds: np.ndarray, basis: np.ndarray
) -> np.ndarray:
    """Return the polynomial whose product with the expected tissue is nearest to the scan.

    Fluid is left out: it is uneven by its own nature.
    """
    precision = member[PURE[1:]] / sds[1:, None] ** 2
    weight = precision.sum(axis=0)
    expected = (precision * means[1:, None]).sum(axis=0) / np.maximum(weight, 1e-9)
    design = basis * (expected * np.sqrt(weight))[:, None]
    target = values * np.sqrt(weight)
    gram = design.T @ design
    ridge = 1e-5 * np.trace(gram) / len(gram)
    return np.linalg.solve(gram + ridge * np.eye(len(gram)), design.T @ target)


@dataclass(frozen=True)
class Mixture:
    """Five kinds of voxel: CSF, CSF with gray, gray, gray with white, white.

    A voxel of two tissues has any share of them with equal chance, so its intensity is even
    between the two means, blurred by the noise.
    """

    means: np.ndarray
    sds: np.ndarray
    abundance: np.ndarray

    def priors(self, tissue: np.ndarray) -> np.ndarray:
        """Return the prior of each kind, (5, N), from those of the tissues, (3, N)."""
        fluid, gray, white = tissue
        mixed = np.sqrt(fluid * gray), np.sqrt(gray * white)
        kinds = np.stack([fluid, mixed[0], gray, mixed[1], white])
        return kinds * self.abundance[:, None].astype(np.float32)

    def expected(self, tissue: np.ndarray) -> np.ndarray:
        """Return how many voxels of each kind the priors expect, (5,)."""
        kinds = self.priors(tissue)
        return (kinds / kinds.sum(axis=0)).sum(axis=1)

    def members(self, corrected: np.ndarray, tissue: np.ndarray) -> np.ndarray:
        """Return the probability of each kind, (5, N)."""
        member = self.priors(tissue) * self.densities(corrected) + 1e-12
        return member / member.sum(axis=0)

    def densities(self, corrected: np.ndarray) -> np.ndarray:
        """Return the density of each kind at intensities (N,), (5, N)."""
        from scipy.special import ndtr

        m, s = self.means, self.sds
        z = (corrected - m[:, None]) / s[:, None]
        z[0] = np.maximum(z[0], 0)  # darker than fluid is fluid,
        z[2] = np.minimum(z[2], 0)  # brighter than white matter is white matter
        pure = np.exp(-0.5 * z**2) / (s[:, None] * np.sqrt(2 * np.pi))
        mixed = [
            (ndtr((corrected - m[k]) / s[1]) - ndtr((corrected - m[k + 1]) / s[1]))
            / max(m[k + 1] - m[k], 1e-3)
            for k in (0, 1)
        ]
        return np.stack([pure[0], mixed[0], pure[1], mixed[1], pure[2]])

    def tissues(self, corrected: np.ndarray, tissue: np.ndarray) -> np.ndarray:
        """Return the probability that most of a voxel is CSF, gray, white, (3, N)."""
        from scipy.special import ndtr

        member = self.members(corrected, tissue)
        below = [ndtr((self.means[k : k + 2].mean() - corrected) / self.sds[1]) for k in (0, 1)]
        fluid = member[0] + member[1] * below[0]
        white = member[4] + member[3] * (1 - below[1])
        return np.stack([fluid, 1 - fluid - white, white])


def _apply(
    corrected: np.ndarray, mask: np.ndarray, priors: np.ndarray, mixture: Mixture
) -> np.ndarray:
    """Classify all voxels, with the Markov field."""
    single = mixture.tissues(corrected[mask], priors[:, mask]).astype(np.float32) + 1e-6
    field = np.zeros((3, *mask.shape), np.float32)
    member = single
    for _ in range(3):
        field[:, mask] = member
        near = np.stack([_neighbours(part)[mask] for part in field])
        member = single * np.exp(np.float32(BETA) * near)
        member /= member.sum(axis=0)
    labels = np.zeros(mask.shape, np.uint8)
    labels[mask] = 1 + member.argmax(axis=0)
    return labels


def _neighbours(part: np.ndarray) -> np.ndarray:
    """Return the sum over the six face neighbours."""
    x, y, z = (slice(1, -1),) * 3
    wide = np.pad(part, 1)
    before, after = slice(None, -2), slice(2, None)
    total = wide[after, y, z] + wide[before, y, z]
    total += wide[x, after, z]
    total += wide[x, before, z]
    total += wide[x, y, after]
    return total + wide[x, y, before]


def standard_shares(
    t1: np.ndarray, affine: np.ndarray, brightness: np.ndarray, gray_mean: float
) -> np.ndarray:
    """Return how much of a voxel is each tissue, on a scale where all scans have one contrast.

    Intensities, white matter at 1, are raised to the power that brings gray matter to the same
    place in every scan: a gamma curve drops out. The brain is found on that scale too. Fluid has a
    fixed place on it, since its own mean rests on voxels at the brain's edge.

    Parameters
    ----------
    t1 : (X, Y, Z)
    affine : (4, 4), voxel to mm of MNI space.
    brightness : float (B,), of `segment_tissues`.
    gray_mean : of the evened-out intensity.

    Returns
    -------
    float32 (3, X, Y, Z)
    """
    around = template_on(t1.shape, affine).near & (t1 > 0)
    power = np.log(STANDARD[1]) / np.log(np.clip(gray_mean, 0.3, 0.95))
    level = even_out(t1, around, brightness) ** np.float32(power)
    mask = brain_mask(level, affine)
    shares = np.zeros((3, *mask.shape), np.float32)
    shares[:, mask] = tissue_shares(level[mask], np.array(STANDARD))
    return shares


def tissue_shares(corrected: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return how much of a voxel is CSF, gray and white, linear between neighbouring means.

    Examples
    --------
    >>> tissue_shares(np.array([0.1, 0.4, 0.6, 0.9]), np.array([0.2, 0.6, 1.0])).round(2).tolist()
    [[1.0, 0.5, 0.0, 0.0], [0.0, 0.5, 1.0, 0.25], [0.0, 0.0, 0.0, 0.75]]
    """
    fluid = np.clip((means[1] - corrected) / (means[1] - means[0]), 0, 1)
    white = np.clip((corrected - means[1]) / (means[2] - means[1]), 0, 1)
    return np.stack([fluid, 1 - fluid - white, white]).astype(np.float32)
