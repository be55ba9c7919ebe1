/* The head as an ellipse and its fits: fetal_lib/geometry/ellipse.py and fit.py in JavaScript.
   An ellipse is {x, y, major, minor, angle}: centre, semi-axes, angle of the long axis from +x towards +y. */

import { conicToAxes, fitConic, shapeToAxes } from "./conic.js";
import { regionEdge } from "./region.js";

const ROUNDS = 15;

/** Compute the perimeter by Ramanujan's second formula, in the unit of the axes. */
export function perimeter({ major, minor }) {
  const total = major + minor;
  const h = ((major - minor) / total) ** 2;
  return Math.PI * total * (1 + (3 * h) / (10 + Math.sqrt(4 - 3 * h)));
}

/** Stretch about the origin: x' = scaleX x, y' = scaleY y, exactly. */
export function scaled(ellipse, scaleX, scaleY) {
  const [cos, sin] = [Math.cos(ellipse.angle), Math.sin(ellipse.angle)];
  const [m2, n2] = [ellipse.major ** 2, ellipse.minor ** 2];
  const xx = (m2 * cos * cos + n2 * sin * sin) * scaleX * scaleX;
  const xy = (m2 - n2) * cos * sin * scaleX * scaleY;
  const yy = (m2 * sin * sin + n2 * cos * cos) * scaleY * scaleY;
  return { x: ellipse.x * scaleX, y: ellipse.y * scaleY, ...shapeToAxes(xx, xy, yy) };
}

/** Follow an image from one size to another; pixel centres stay pixel centres. */
export function resized(ellipse, from, to) {
  const moved = { ...ellipse, x: ellipse.x + 0.5, y: ellipse.y + 0.5 };
  const big = scaled(moved, to.width / from.width, to.height / from.height);
  return { ...big, x: big.x - 0.5, y: big.y - 0.5 };
}

/** Give n points [x, y] of the outline. */
export function boundary(ellipse, n) {
  const [cos, sin] = [Math.cos(ellipse.angle), Math.sin(ellipse.angle)];
  return Array.from({ length: n }, (_, i) => {
    const t = (2 * Math.PI * i) / n;
    const [along, across] = [ellipse.major * Math.cos(t), ellipse.minor * Math.sin(t)];
    return [ellipse.x + along * cos - across * sin, ellipse.y + along * sin + across * cos];
  });
}

/** Return a function that gives a point's place along both axes, in semi-axes. */
function axesFrame(ellipse) {
  const [cos, sin] = [Math.cos(ellipse.angle), Math.sin(ellipse.angle)];
  return (x, y) => {
    const [dx, dy] = [x - ellipse.x, y - ellipse.y];
    return [(dx * cos + dy * sin) / ellipse.major, (dy * cos - dx * sin) / ellipse.minor];
  };
}

/** Measure how far points lie off the outline, to first order, without sign. */
export function distances(ellipse, points) {
  const place = axesFrame(ellipse);
  return points.map(([x, y]) => {
    const [u, v] = place(x, y);
    const radius = Math.hypot(u, v);
    const slope = Math.hypot(u / ellipse.major, v / ellipse.minor) / Math.max(radius, 1e-12);
    return Math.abs(radius - 1) / Math.max(slope, 1e-12);
  });
}

/** Fill the ellipse: 1 where a pixel's centre is inside or on it. */
export function ellipseMask(ellipse, width, height) {
  const place = axesFrame(ellipse);
  const mask = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [u, v] = place(x, y);
      if (u * u + v * v <= 1) mask[y * width + x] = 1;
    }
  }
  return mask;
}

/** Return a quantile of numbers, linear between neighbours as NumPy takes it. */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** Fit an ellipse to points [x, y] by direct least squares; throw when they give none. */
export function fitEllipse(points) {
  if (points.length < 5) throw new Error("an ellipse needs at least five points");
  const mean = (i) => points.reduce((sum, point) => sum + point[i], 0) / points.length;
  const center = [mean(0), mean(1)];
  const middle = (center[0] + center[1]) / 2;
  const spread = points.reduce((sum, [x, y]) => sum + (x - middle) ** 2 + (y - middle) ** 2, 0);
  const scale = Math.sqrt(spread / (2 * points.length));
  if (!(scale > 0)) throw new Error("all points are the same");
  const fit = conicToAxes(fitConic(points.map(([x, y]) => [(x - center[0]) / scale, (y - center[1]) / scale])));
  return {
    x: fit.x * scale + center[0],
    y: fit.y * scale + center[1],
    major: fit.major * scale,
    minor: fit.minor * scale,
    angle: fit.angle,
  };
}

/** Fit the best-agreeing 70 % of the points, then all that agree with that fit. */
export function fitEllipseRobust(points) {
  let ellipse = fitEllipse(points);
  let marks = points.map(() => true);
  for (let round = 0; round < ROUNDS; round += 1) {
    const off = distances(ellipse, points);
    const limit = Math.max(1, quantile(off, 0.7));
    const keep = off.map((d) => d <= limit);
    if (keep.filter(Boolean).length < 5 || keep.every((mark, i) => mark === marks[i])) break;
    ellipse = fitEllipse(points.filter((_, i) => keep[i]));
    marks = keep;
  }
  const off = distances(ellipse, points);
  const limit = Math.max(1, 3 * 1.4826 * quantile(off, 0.5));
  return fitEllipse(points.filter((_, i) => off[i] <= limit));
}

/** Fit an ellipse to the sub-pixel edge of the largest region of a probability map; throw when there is none. */
export function ellipseFromProbs(map, level) {
  const edge = regionEdge(map, level);
  if (edge.length < 12) throw new Error("the region is too small for an ellipse");
  return fitEllipseRobust(edge);
}
