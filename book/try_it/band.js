/* The ends of a band in a probability map: line_from_probs of fetal_lib/geometry/biometry.py, and what finds the ends of
   a femur in fetal_lib/predict/biometry_measure.py, in JavaScript. A line is [[x, y], [x, y]] in pixels of the scan. */

import { NUMBERS } from "./numbers.js";
import { largestRegion } from "./region.js";

export const lineLength = ([a, b]) => Math.hypot(b[0] - a[0], b[1] - a[1]);

/** Say for each target pixel between which two source pixels it lies, and how far: cv2.resize(..., INTER_LINEAR). */
function neighbours(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const at = (i + 0.5) * scale - 0.5;
    const low = Math.floor(at);
    if (low < 0) return [0, 0, 0];
    return low >= from - 1 ? [from - 1, from - 1, 0] : [low, low + 1, at - low];
  });
}

/** Cut a map at one half on the grid of a scan. */
function maskOnScan({ values, width, height }, scan) {
  const columns = neighbours(width, scan.width);
  const mask = new Uint8Array(scan.width * scan.height);
  neighbours(height, scan.height).forEach(([top, bottom, down], y) => {
    columns.forEach(([left, right, across], x) => {
      const mix = (row) => values[row * width + left] * (1 - across) + values[row * width + right] * across;
      if (mix(top) * (1 - down) + mix(bottom) * down >= 0.5) mask[y * scan.width + x] = 1;
    });
  });
  return mask;
}

/** Find the two ends of the largest band in a map; throw where there is none. */
export function lineFromProbs(map, scan) {
  const region = largestRegion(maskOnScan(map, scan), scan.width, scan.height);
  let [n, sumX, sumY] = [0, 0, 0];
  const each = (work) => {
    for (let i = 0; i < region.length; i += 1) if (region[i]) work(i % scan.width, Math.floor(i / scan.width));
  };
  if (region) each((x, y) => { n += 1; sumX += x; sumY += y; });
  if (n < 3) throw new Error("a band needs at least three pixels");
  const [meanX, meanY] = [sumX / n, sumY / n];
  let [xx, xy, yy] = [0, 0, 0];
  each((x, y) => {
    const [dx, dy] = [x - meanX, y - meanY];
    xx += dx * dx; xy += dx * dy; yy += dy * dy;
  });
  [xx, xy, yy] = [xx / n, xy / n, yy / n];
  const root = Math.hypot((xx - yy) / 2, xy);
  const [most, least] = [(xx + yy) / 2 + root, (xx + yy) / 2 - root];
  const [length, width] = [most, least].map((square) => Math.sqrt(12 * Math.max(square, 0) + 1));
  if (length < NUMBERS.limits.min_elongation * width) throw new Error("the region is no band");
  const angle = Math.atan2(2 * xy, xx - yy) / 2;
  const [dx, dy] = [(Math.cos(angle) * length) / 2, (Math.sin(angle) * length) / 2];
  return [[meanX - dx, meanY - dy], [meanX + dx, meanY + dy]];
}

/** Move the ends of a band to the bells along its axis, where there are some. */
export function endsByBells(line, bells, scan) {
  const { beyond, aside, min_bell, end_spread } = NUMBERS.limits;
  const [scaleX, scaleY] = [scan.width / bells.width, scan.height / bells.height];
  const length = lineLength(line);
  const middle = [0, 1].map((axis) => (line[0][axis] + line[1][axis]) / 2);
  const spread = end_spread * Math.max(scan.width, scan.height);
  const reach = Math.max(aside * length, 2 * spread);
  return line.map((end) => {
    const [dx, dy] = [0, 1].map((axis) => (end[axis] - middle[axis]) / (length / 2));
    let peak = [0, 0, 0];
    const near = [];
    bells.values.forEach((value, i) => {
      const x = ((i % bells.width) + 0.5) * scaleX - 0.5;
      const y = (Math.floor(i / bells.width) + 0.5) * scaleY - 0.5;
      const along = ((x - middle[0]) * dx + (y - middle[1]) * dy) / length;
      const across = Math.abs((x - middle[0]) * dy - (y - middle[1]) * dx);
      if (!(along > 0.25 && along < 0.5 + beyond && across < reach)) return;
      near.push([x, y, value]);
      if (value > peak[2]) peak = [x, y, value];
    });
    if (peak[2] < min_bell) return end;
    const high = near.filter(([x, y, value]) => value >= peak[2] / 2 && Math.hypot(x - peak[0], y - peak[1]) < 3 * spread);
    const total = high.reduce((sum, [, , value]) => sum + value, 0);
    return [0, 1].map((axis) => high.reduce((sum, point) => sum + point[axis] * point[2], 0) / total);
  });
}
