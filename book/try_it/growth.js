/* Size and age: the formulas come from fetal_lib.growth through numbers.js; here are only their ranges and words. */

import { FORMULAS, NUMBERS } from "./numbers.js";

const within = (value, [low, high]) => value >= low && value <= high;

/** Give the age in days from head circumference by INTERGROWTH-21st, NaN outside the formula's range. */
export function ageFromHc(hcMm) {
  return within(hcMm, NUMBERS.intergrowth.hc_mm_for_age) ? FORMULAS.gaDaysFromHc(hcMm) : NaN;
}

/** Give the age in days from head circumference by Hadlock 1984, NaN outside the formula's range. */
export function ageFromHcHadlock(hcMm) {
  const { hc_mm_range: range, age_coefficients: coefficients } = NUMBERS.hadlock;
  const cm = hcMm / 10;
  return within(hcMm, range) ? 7 * coefficients.reduce((sum, c, power) => sum + c * cm ** power, 0) : NaN;
}

/** Give the head circumference in mm at an age and a z-score by INTERGROWTH-21st. */
export function hcAtAge(weeks, z) {
  return FORMULAS.hcMean(weeks) + z * FORMULAS.hcSd(weeks);
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
export function centileAt(hcMm, gaDays) {
  const weeks = gaDays / 7;
  const { ga_weeks: ages, hc_mm: sizes } = NUMBERS.intergrowth;
  if (!within(weeks, ages) || !within(hcMm, sizes)) return NaN;
  return 100 * normalShare((hcMm - FORMULAS.hcMean(weeks)) / FORMULAS.hcSd(weeks));
}

/** Write an age as completed weeks + days. */
export function weeksDays(gaDays) {
  const days = Math.floor(gaDays + 1e-6);
  return `${Math.floor(days / 7)}+${days % 7}`;
}
