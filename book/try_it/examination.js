/* One examination: the sizes of the last image of each plane, and the weight that follows from them. */

import { weightG, weightHalf, WEIGHTS } from "./growth.js";

const byPlane = {};

/** Take in what an image of a plane has given; nothing measured takes back what an earlier one gave. */
export function addToExamination(plane, sizes) {
  delete byPlane[plane];
  if (Object.keys(sizes).length) byPlane[plane] = sizes;
}

export function clearExamination() {
  Object.keys(byPlane).forEach((plane) => delete byPlane[plane]);
}

/** Return the weights in g by formula, with half their intervals; NaN where a size has none. */
function weights() {
  const sizes = Object.assign({}, ...Object.values(byPlane));
  const planeOf = Object.fromEntries(Object.entries(byPlane).flatMap(([plane, own]) =>
    Object.keys(own).map((name) => [name, plane])));
  const found = {};
  for (const [formula, needs] of Object.entries(WEIGHTS)) {
    if (!needs.every((name) => sizes[name])) continue;
    const grams = weightG(formula, Object.fromEntries(needs.map((name) => [name, sizes[name].mm])));
    if (Number.isFinite(grams)) found[formula] = { grams, half: weightHalf(formula, sizes, planeOf) };
  }
  return found;
}

/** Return terms, values and keys of all that is known of the examination. */
export function examinationRows() {
  const sizes = Object.entries(Object.assign({}, ...Object.values(byPlane)));
  const list = sizes.map(([name, { mm }]) => [name, `${mm.toFixed(1)} mm`, `exam-${name.toLowerCase()}`]);
  for (const [formula, { grams, half }] of Object.entries(weights())) {
    const source = formula === "intergrowth" ? "INTERGROWTH-21st" : "Hadlock 1985";
    const interval = Number.isFinite(half) ? ` (${(grams - half).toFixed(0)} to ${(grams + half).toFixed(0)})` : "";
    const term = `Weight from ${WEIGHTS[formula].join(", ")} (${source})`;
    list.push([term, `${grams.toFixed(0)} g${interval}`, `weight-${formula}`]);
  }
  return list;
}

/** Note the weights where a program finds them. */
export function setExaminationData(dataset) {
  dataset.weights = JSON.stringify(weights());
  dataset.planes = Object.keys(byPlane).sort().join(" ");
}
