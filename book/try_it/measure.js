/* From a probability map to a head circumference, or to the reason why not: fetal_lib/predict/head_measure.py
   in JavaScript. */

import { boundary, ellipseFromProbs, ellipseMask, perimeter, resized, scaled } from "./ellipse.js";
import { ageFromHc, ageFromHcHadlock } from "./growth.js";
import { NUMBERS } from "./numbers.js";
import { roundHalfEven } from "./squash.js";

const LEVEL = 0.5;

/** Say what is wrong with a pixel size in mm; an empty text when nothing is. */
export function pixelSizeProblem(mm) {
  const [low, high] = NUMBERS.limits.pixel_size_mm;
  if (Number.isFinite(mm) && mm >= low && mm <= high) return "";
  return `The side of a pixel must be ${low} to ${high} mm; divide micrometres by 1000, multiply centimetres by 10.`;
}

/** Write a share in whole per cent, halves to the even number as Python does. */
export function percent(share) {
  return `${roundHalfEven(100 * share)}%`;
}

/** Say why an image with these probabilities of planes is no head; an empty text of a head. */
export function noHead(probs) {
  const { names, no_head: words, head_from } = NUMBERS.planes;
  if (probs[names.indexOf("head")] >= head_from) return "";
  const best = probs.indexOf(Math.max(...probs));
  return `${words[names[best]]} (${percent(probs[best])})`;
}

/** Give the share of an ellipse's outline that lies outside an image. */
export function cutShare(ellipse, { width, height }) {
  const points = boundary(ellipse, 720);
  const outside = points.filter(([x, y]) => x < -0.5 || x > width - 0.5 || y < -0.5 || y > height - 0.5);
  return outside.length / points.length;
}

function declineReason(ellipse, cut, agreement, hcMm) {
  const { hc_mm: range, min_agreement, min_axis_ratio, max_cut_share } = NUMBERS.limits;
  const ratio = ellipse.minor / ellipse.major;
  if (agreement < min_agreement) {
    return `no head found: the region is no ellipse (Dice with its fit ${agreement.toFixed(2)})`;
  }
  if (cut > max_cut_share) return `ellipse cut by the image: ${percent(cut)} of its outline lies outside`;
  if (ratio < min_axis_ratio) return `no head found: axis ratio ${ratio.toFixed(2)}, heads have 0.6-1`;
  if (hcMm < range[0] || hcMm > range[1]) {
    return `unreasonable size: HC ${hcMm.toFixed(0)} mm, outside ${range[0]}-${range[1]} mm`;
  }
  return "";
}

/** Return the Dice of two masks of one size. */
function dice(a, b) {
  let [both, sum] = [0, 0];
  for (let i = 0; i < a.length; i += 1) {
    both += a[i] && b[i] ? 1 : 0;
    sum += (a[i] ? 1 : 0) + (b[i] ? 1 : 0);
  }
  return (2 * both) / Math.max(1, sum);
}

/**
 * Measure the head in the probability map of a scan.
 *
 * @param {{values: Float32Array, width: number, height: number}} map of head probabilities
 * @param {{width: number, height: number}} scan its size in pixels
 * @param {number} pixelSizeMm side of a pixel of the scan
 * @returns {{reason: string, hcMm?: number, ellipse?: object}} numbers are missing where it was declined
 */
export function measureHead(map, scan, pixelSizeMm) {
  const head = Uint8Array.from(map.values, (p) => (p >= LEVEL ? 1 : 0));
  const area = head.reduce((sum, pixel) => sum + pixel, 0);
  if (area / head.length < NUMBERS.limits.min_area_share) return { reason: "no head found" };
  let small;
  try {
    small = ellipseFromProbs(map, LEVEL);
  } catch {
    return { reason: "no head found: its outline fits no ellipse" };
  }
  const found = resized(small, map, scan);
  const offset = NUMBERS.model.offsets.head ?? 1;
  const ellipse = { ...found, major: offset * found.major, minor: offset * found.minor };
  const cut = cutShare(ellipse, scan);
  const agreement = dice(head, ellipseMask(small, map.width, map.height));
  const hcMm = perimeter(scaled(ellipse, pixelSizeMm, pixelSizeMm));
  const shape = { ellipse, cut, agreement };
  const reason = declineReason(ellipse, cut, agreement, hcMm);
  if (reason) return { ...shape, reason };
  const { relative_half_width: share, floor_mm } = NUMBERS.model;
  const half = share === null ? NaN : share * (hcMm + floor_mm);
  return {
    ...shape,
    reason: "",
    hcMm,
    lowMm: hcMm - half,
    highMm: hcMm + half,
    gaDays: ageFromHc(hcMm),
    gaHadlockDays: ageFromHcHadlock(hcMm),
  };
}
