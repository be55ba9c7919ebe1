/* From the maps of the network to sizes in millimetres, or to the reason why not:
   fetal_lib/predict/biometry_measure.py in JavaScript. */

import { endsByBells, lineFromProbs, lineLength } from "./band.js";
import { boundary, ellipseFromProbs, ellipseMask, perimeter, resized } from "./ellipse.js";
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

/** Name the most probable plane. */
export function bestPlane(probs) {
  return NUMBERS.planes.names[probs.indexOf(Math.max(...probs))];
}

/** Give the share of an ellipse's outline that lies outside an image. */
export function cutShare(ellipse, { width, height }) {
  const points = boundary(ellipse, 720);
  const outside = points.filter(([x, y]) => x < -0.5 || x > width - 0.5 || y < -0.5 || y > height - 0.5);
  return outside.length / points.length;
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

function whyNoEllipse(plane, ellipse, agreement, scan) {
  const { min_agreement, min_axis_ratio, max_cut_share } = NUMBERS.limits;
  const [cut, ratio] = [cutShare(ellipse, scan), ellipse.minor / ellipse.major];
  if (agreement < min_agreement) {
    return `no ${plane} found: the region is no ellipse (Dice with its fit ${agreement.toFixed(2)})`;
  }
  if (cut > max_cut_share) return `ellipse cut by the image: ${percent(cut)} of its outline lies outside`;
  return ratio < min_axis_ratio ? `no ${plane} found: axis ratio ${ratio.toFixed(2)}, it must be 0.55-1` : "";
}

/** Return the ends of the diameter of an ellipse in a direction. */
function diameter(ellipse, angle) {
  const turn = angle - ellipse.angle;
  const half = 1 / Math.hypot(Math.cos(turn) / ellipse.major, Math.sin(turn) / ellipse.minor);
  const [dx, dy] = [half * Math.cos(angle), half * Math.sin(angle)];
  return [[ellipse.x - dx, ellipse.y - dy], [ellipse.x + dx, ellipse.y + dy]];
}

const direction = ([a, b]) => Math.atan2(b[1] - a[1], b[0] - a[0]);

/** Return the direction of TAD: that of its band, or upright where none was found. */
function transverse(map, scan) {
  try {
    return map ? direction(lineFromProbs(map, scan)) : Math.PI / 2;
  } catch {
    return Math.PI / 2;
  }
}

function findLine(maps, scan) {
  try {
    const line = lineFromProbs(maps.femur, scan);
    return { line: maps.femur_ends ? endsByBells(line, maps.femur_ends, scan) : line, reason: "" };
  } catch {
    return { reason: "no femur found: the region is no band" };
  }
}

/** Return the mean probability of the pixels that were found. */
function meanInside(map, found) {
  const inside = map.values.filter((_, i) => found[i]);
  return inside.reduce((sum, p) => sum + p, 0) / inside.length;
}

function findShape(maps, plane, scan) {
  const map = maps[plane];
  const found = Uint8Array.from(map.values, (p) => (p >= LEVEL ? 1 : 0));
  const area = found.reduce((sum, pixel) => sum + pixel, 0) / found.length;
  if (area < NUMBERS.limits.min_area_share[plane]) return { reason: `no ${plane} found` };
  if (plane === "femur") return findLine(maps, scan);
  let small;
  try {
    small = ellipseFromProbs(map, LEVEL);
  } catch {
    return { reason: `no ${plane} found: its outline fits no ellipse` };
  }
  const ellipse = resized(small, map, scan);
  const agreement = dice(found, ellipseMask(small, map.width, map.height));
  const line = plane === "abdomen" ? diameter(ellipse, transverse(maps.transverse, scan)) : undefined;
  let reason = whyNoEllipse(plane, ellipse, agreement, scan);
  if (!reason && meanInside(map, found) < NUMBERS.limits.min_sure[plane]) reason = `the outline of the ${plane} is not clear`;
  return { ellipse, line, agreement, cut: cutShare(ellipse, scan), reason };
}

/** Make a shape larger about its middle. */
function enlarged({ ellipse, line, ...rest }, factor) {
  const middle = line && [0, 1].map((axis) => (line[0][axis] + line[1][axis]) / 2);
  return {
    ...rest,
    ellipse: ellipse && { ...ellipse, major: factor * ellipse.major, minor: factor * ellipse.minor },
    line: line && line.map((end) => end.map((at, axis) => middle[axis] + factor * (at - middle[axis]))),
  };
}

function lengths(plane, { ellipse, line }) {
  if (plane === "femur") return [lineLength(line)];
  if (plane === "head") return [perimeter(ellipse), 2 * ellipse.minor, 2 * ellipse.major];
  return [perimeter(ellipse), lineLength(line), lineLength(diameter(ellipse, direction(line) + Math.PI / 2))];
}

/**
 * Measure what the maps of a scan show.
 *
 * @param {Object<string, {values: Float32Array, width: number, height: number}>} maps by channel
 * @param {string} plane head, abdomen or femur
 * @param {{width: number, height: number}} scan its size in pixels
 * @param {number} pixelSizeMm side of a pixel of the scan
 * @returns {{reason: string, plane: string, sizes: Object<string, {mm: number, low: number, high: number}>}} sizes are
 *   by names such as "HC"; empty where it was declined
 */
export function measureScan(maps, plane, scan, pixelSizeMm) {
  const { offsets, half_widths, limits_mm, floor_mm } = NUMBERS.model;
  const shape = { plane, sizes: {}, ...enlarged(findShape(maps, plane, scan), offsets[plane] ?? 1) };
  if (shape.reason) return shape;
  const names = NUMBERS.sizes[plane];
  const sizes = {};
  const sizesMm = lengths(plane, shape).map((length) => length * pixelSizeMm);
  const group = (limits_mm[plane] ?? []).filter((limit) => limit <= sizesMm[0]).length;
  sizesMm.forEach((mm, i) => {
    const half = (mm + floor_mm[names[i]]) * (half_widths[plane]?.[names[i]]?.[group] ?? NaN);
    sizes[names[i].replace("_mm", "").toUpperCase()] = { mm, low: mm - half, high: mm + half };
  });
  const [low, high] = NUMBERS.limits.size_mm[names[0]];
  const name = charted(plane);
  const { mm } = sizes[name];
  if (mm < low || mm > high) {
    return { ...shape, reason: `unreasonable size: ${name} ${mm.toFixed(0)} mm, outside ${low.toFixed(0)}-${high.toFixed(0)} mm` };
  }
  return { ...shape, sizes };
}

/** Name the size of a plane that is charted. */
export function charted(plane) {
  return NUMBERS.sizes[plane][0].replace("_mm", "").toUpperCase();
}
