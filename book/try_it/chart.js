/* The growth chart: centile curves of a size, what was measured, and the age if it is known. */

import { sizeAtAge } from "./growth.js";
import { NUMBERS } from "./numbers.js";
import { svgElement } from "./svg.js";

const SIZE = { width: 0, height: 0, left: 36, right: 26, top: 8, bottom: 40 };
const CENTILES = [
  ["3", -1.880794],
  ["10", -1.281552],
  ["50", 0],
  ["90", 1.281552],
  ["97", 1.880794],
];
const AXES = {
  HC: { range: [50, 400], step: 50, title: "head circumference (mm)" },
  AC: { range: [0, 400], step: 50, title: "abdominal circumference (mm)" },
  FL: { range: [0, 90], step: 10, title: "femur length (mm)" },
};
let [NAME, MM] = ["HC", AXES.HC.range];
const WEEKS = NUMBERS.intergrowth.ga_weeks;

const toX = (weeks) =>
  SIZE.left + ((weeks - WEEKS[0]) / (WEEKS[1] - WEEKS[0])) * (SIZE.width - SIZE.left - SIZE.right);
const toY = (mm) =>
  SIZE.height - SIZE.bottom - ((mm - MM[0]) / (MM[1] - MM[0])) * (SIZE.height - SIZE.top - SIZE.bottom);
const path = (points) => `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;

function curve(z) {
  const points = [];
  for (let weeks = WEEKS[0]; weeks <= WEEKS[1]; weeks += 0.5) points.push([toX(weeks), toY(sizeAtAge(NAME, weeks, z))]);
  return points;
}

function axes(svg) {
  const [left, right] = [SIZE.left, SIZE.width - SIZE.right];
  const [top, bottom] = [SIZE.top, SIZE.height - SIZE.bottom];
  for (let mm = MM[0]; mm <= MM[1]; mm += AXES[NAME].step) {
    svg.append(svgElement("path", { class: "grid", d: path([[left, toY(mm)], [right, toY(mm)]]) }));
    svg.append(svgElement("text", { class: "tick", x: left - 6, y: toY(mm) + 4, "text-anchor": "end" }, mm));
  }
  for (let weeks = WEEKS[0]; weeks <= WEEKS[1]; weeks += 2) {
    svg.append(svgElement("path", { class: "grid", d: path([[toX(weeks), top], [toX(weeks), bottom]]) }));
    if (weeks % 4 === 0) {
      svg.append(svgElement("text", { class: "tick", x: toX(weeks), y: bottom + 16, "text-anchor": "middle" }, weeks));
    }
  }
  const middle = (left + right) / 2;
  svg.append(svgElement("text", { class: "axis", x: middle, y: SIZE.height - 8, "text-anchor": "middle" },
    "gestational age (weeks)"));
  svg.append(svgElement("text", { class: "axis", x: left + 4, y: top + 14 }, AXES[NAME].title));
}

function curves(svg) {
  const [low, high] = [curve(CENTILES[1][1]), curve(CENTILES[3][1]).reverse()];
  svg.append(svgElement("path", { class: "band", d: `${path([...low, ...high])}Z` }));
  for (const [name, z] of CENTILES) {
    const points = curve(z);
    const [x, y] = points[points.length - 1];
    const shift = { 3: 11, 10: 5, 50: 4, 90: 3, 97: -3 }[name];
    svg.append(svgElement("path", { class: name === "50" ? "curve middle" : "curve", d: path(points) }));
    svg.append(svgElement("text", { class: "tick", x: x + 4, y: y + shift }, name));
  }
}

function measured(svg, { mm: sizeMm, low: lowMm, high: highMm }, gaDays) {
  const [left, right] = [SIZE.left, SIZE.width - SIZE.right];
  const clip = (mm) => Math.min(MM[1], Math.max(MM[0], mm));
  if (sizeMm < MM[0] || sizeMm > MM[1]) return;
  if (Number.isFinite(highMm)) {
    const [top, bottom] = [toY(clip(highMm)), toY(clip(lowMm))];
    svg.append(svgElement("rect", { class: "interval", x: left, y: top, width: right - left, height: bottom - top }));
  }
  svg.append(svgElement("path", { class: "head", d: path([[left, toY(sizeMm)], [right, toY(sizeMm)]]) }));
  if (!(gaDays / 7 >= WEEKS[0] && gaDays / 7 <= WEEKS[1])) return;
  const x = toX(gaDays / 7);
  svg.append(svgElement("path", { class: "head drop", d: path([[x, toY(sizeMm)], [x, SIZE.height - SIZE.bottom]]) }));
  svg.append(svgElement("circle", { class: "implied", cx: x, cy: toY(sizeMm), r: 5 }));
}

/**
 * Draw the chart into an <svg>.
 *
 * @param {SVGElement} svg emptied first
 * @param {string} name HC, AC or FL
 * @param {{mm: number, low: number, high: number}} size
 * @param {number} impliedDays the age that the size implies, NaN where a formula says nothing
 * @param {number} knownDays age known from elsewhere, NaN when it is not
 */
export function drawChart(svg, name, size, impliedDays, knownDays) {
  [NAME, MM] = [name, AXES[name].range];
  svg.replaceChildren();
  SIZE.width = Math.max(280, svg.clientWidth || 0);
  SIZE.height = Math.min(420, Math.max(260, 0.62 * SIZE.width));
  svg.setAttribute("viewBox", `0 0 ${SIZE.width} ${SIZE.height}`);
  axes(svg);
  curves(svg);
  measured(svg, size, impliedDays);
  const weeks = knownDays / 7;
  if (weeks >= WEEKS[0] && weeks <= WEEKS[1] && size.mm >= MM[0] && size.mm <= MM[1]) {
    const [x, y] = [toX(weeks), toY(size.mm)];
    svg.append(svgElement("path", { class: "known", d: `M${x} ${y - 7}L${x + 7} ${y}L${x} ${y + 7}L${x - 7} ${y}Z` }));
  }
}
