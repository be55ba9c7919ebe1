/* Size and age: the formulas come from fetal_lib.growth through numbers.js; here are only their ranges and words. */

import { FORMULAS, NUMBERS } from "./numbers.js";

const within = (value, [low, high]) => value >= low && value <= high;

/** Give the age in days from head circumference by INTERGROWTH-21st, NaN outside the formula's range. */
export function ageFromHc(hcMm) {
  return within(hcMm, NUMBERS.intergrowth.hc_mm_for_age) ? FORMULAS.gaDaysFromHc(hcMm) : NaN;
}

/** Give a BPD from outer to inner, for which Hadlock's formulas were made; as it is outside the conversion's range. */
function outerInner(mm) {
  const { mm: range, intercept, slope } = NUMBERS.outer_inner;
  return within(mm, range) ? intercept + slope * mm : mm;
}

/** Give the age in days from a size by Hadlock 1984, NaN outside the formula's range. */
export function ageByHadlock(measure, mm) {
  const { size_mm: ranges, age_coefficients: coefficients } = NUMBERS.hadlock;
  const inner = measure === "BPD" ? outerInner(mm) : mm;
  if (!coefficients[measure] || !within(inner, ranges[measure])) return NaN;
  return 7 * coefficients[measure].reduce((sum, c, power) => sum + c * (inner / 10) ** power, 0);
}

/** Give a size in mm at an age and a z-score by INTERGROWTH-21st. */
export function sizeAtAge(measure, weeks, z) {
  return FORMULAS[`mean${measure}`](weeks) + z * FORMULAS[`sd${measure}`](weeks);
}

/** Say of which sizes the weight is computed by each formula. */
export const WEIGHTS = { ...NUMBERS.hadlock.efw_needs, intergrowth: ["AC", "HC"] };

/** Give the weight in g by a formula from sizes in mm, NaN outside its range. */
export function weightG(formula, mm) {
  if (formula === "intergrowth") {
    const ranges = NUMBERS.intergrowth.size_mm;
    if (!within(mm.AC, ranges.AC) || !within(mm.HC, ranges.HC)) return NaN;
    return Math.exp(FORMULAS.logintergrowth({ a: mm.AC / 1000, h: mm.HC / 1000 }));
  }
  const cm = {};
  for (const name of WEIGHTS[formula]) {
    const inner = name === "BPD" ? outerInner(mm.BPD) : mm[name];
    if (!within(inner, NUMBERS.hadlock.efw_mm[name])) return NaN;
    cm[name] = inner / 10;
  }
  return 10 ** FORMULAS[`log${formula}`](cm);
}

/** Give half the interval of a weight: errors of one plane are added up, those of several are independent. */
export function weightHalf(formula, sizes, planeOf) {
  const byPlane = {};
  const middle = Object.fromEntries(WEIGHTS[formula].map((name) => [name, sizes[name].mm]));
  for (const name of WEIGHTS[formula]) {
    const ends = [sizes[name].low, sizes[name].high].map((mm) => weightG(formula, { ...middle, [name]: mm }));
    byPlane[planeOf[name]] = (byPlane[planeOf[name]] ?? 0) + Math.abs(ends[1] - ends[0]) / 2;
  }
  return Math.hypot(...Object.values(byPlane));
}

/** Give the share of a normal distribution below z (Numerical Recipes' erfcc, error below 1.2e-7). */
export function normalShare(z) {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + x / 2);
  const series = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
    0.17087277,
  ].reduceRight((sum, c) => sum * t + c, 0);
  const tail = (t * Math.exp(-x * x + series)) / 2;
  return z > 0 ? 1 - tail : tail;
}

/** Give the centile of a size at an age that is known, NaN where the standard says nothing. */
export function centileAt(measure, mm, gaDays) {
  const weeks = gaDays / 7;
  const { ga_weeks: ages, size_mm: sizes } = NUMBERS.intergrowth;
  if (!within(weeks, ages) || !within(mm, sizes[measure])) return NaN;
  return 100 * normalShare((mm - FORMULAS[`mean${measure}`](weeks)) / FORMULAS[`sd${measure}`](weeks));
}

/** Write an age as completed weeks + days. */
export function weeksDays(gaDays) {
  const days = Math.floor(gaDays + 1e-6);
  return `${Math.floor(days / 7)}+${days % 7}`;
}
