/* The page: an image in, a measurement or the reason for none out. Nothing leaves the browser. */

import { drawChart } from "./chart.js";
import { addToExamination, clearExamination, examinationRows, setExaminationData } from "./examination.js";
import { ageByHadlock, ageFromHc, centileAt, weeksDays } from "./growth.js";
import { readGray } from "./image_file.js";
import { bestPlane, charted, measureScan, percent, pixelSizeProblem } from "./measure.js";
import { biometryMaps, bytesFromBase64, loadScript, planeProbs } from "./network.js";
import { NUMBERS } from "./numbers.js";
import { COLOUR_BAR, drawMask, drawProbs, drawScan, drawShape } from "./pictures.js";
import { makeRuler } from "./ruler.js";

const root = document.getElementById("measure-head");
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const state = { scan: null, name: "", plane: "", maps: null, refusal: "", result: null, turn: 0 };
const TITLES = {
  HC: "Head circumference", BPD: "Biparietal diameter", OFD: "Occipitofrontal diameter", AC: "Abdominal circumference",
  TAD: "Transverse abdominal diameter", APAD: "Anteroposterior abdominal diameter", FL: "Femur length",
};
const ruler = makeRuler(part("ruler"), useRuler);

function say(text, isRefusal = false) {
  part("status").textContent = text;
  part("status").classList.toggle("refusal", isRefusal);
}
const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "–");

/** Read a number from a field, with a point or a comma; NaN when it is none. */
function decimal(name) {
  const text = part(name).value.trim().replace(",", ".");
  return text === "" ? NaN : Number(text);
}

/** Give the age in days that is known from elsewhere, NaN when none or no age was typed. */
function knownDays() {
  const [weeks, days] = ["weeks", "days"].map((name) => part(name).value.trim());
  return weeks === "" ? NaN : 7 * Number(weeks) + Number(days || 0);
}

/** Give the age that a size implies: heads by INTERGROWTH-21st, others by Hadlock. */
const impliedAge = (name, mm) => (name === "HC" ? ageFromHc(mm) : ageByHadlock(name, mm));

function rows() {
  const { plane, sizes, cut, agreement } = state.result;
  const age = (days) => (days > 0 ? `${weeksDays(days)} weeks (${days.toFixed(1)} days)` : "outside the formula's range");
  const list = [];
  const main = charted(plane);
  for (const [name, { mm, low, high }] of Object.entries(sizes)) {
    const interval = `${fixed(low, 1)} to ${fixed(high, 1)} mm`;
    list.push([TITLES[name], name === main ? `${fixed(mm, 1)} mm` : `${fixed(mm, 1)} mm (${interval})`, name.toLowerCase()]);
    if (name === main) list.push([`${percent(NUMBERS.model.interval_coverage)} interval`, interval, "interval"]);
  }
  const { mm } = sizes[main];
  if (main === "HC") list.push(["Age by INTERGROWTH-21st", age(ageFromHc(mm)), "age"]);
  list.push(["Age by Hadlock 1984", age(ageByHadlock(main, mm)), "age-hadlock"]);
  const known = knownDays();
  if (Number.isFinite(known)) {
    const centile = centileAt(main, mm, known);
    const text = Number.isFinite(centile) ? `${centile.toFixed(1)} at ${weeksDays(known)} weeks` : "the standard says nothing here";
    list.push(["Centile by INTERGROWTH-21st", text, "centile"]);
  }
  if (plane === "femur") return list;
  list.push(["Outline outside the image", percent(cut), "cut"]);
  list.push(["Agreement of mask and ellipse (Dice)", fixed(agreement, 3), "agreement"]);
  return list;
}

function describeChart(name, mm, days) {
  const age = days > 0 ? `, the size at ${weeksDays(days)} weeks` : "";
  return `Growth chart of ${TITLES[name].toLowerCase()} by age, with a line at ${fixed(mm, 0)} mm${age}.`;
}

/** Fill a list of terms and values. */
function fill(list, entries) {
  list.replaceChildren();
  for (const [term, value, key] of entries) {
    const row = document.createElement("div");
    const [name, text] = ["dt", "dd"].map((tag) => row.appendChild(document.createElement(tag)));
    row.dataset.row = key;
    name.textContent = term;
    text.textContent = value;
    list.append(row);
  }
}

function showNumbers() {
  const isMeasured = Boolean(state.result && !state.result.reason);
  part("numbers").hidden = !isMeasured;
  fill(part("numbers"), isMeasured ? rows() : []);
}

function showChart() {
  const isMeasured = Boolean(state.result && !state.result.reason);
  part("growth").hidden = !isMeasured;
  if (!isMeasured) return;
  const name = charted(state.result.plane);
  const size = state.result.sizes[name];
  const implied = impliedAge(name, size.mm);
  drawChart(part("chart"), name, size, implied, knownDays());
  part("chart").setAttribute("aria-label", describeChart(name, size.mm, implied));
}

/** Show what all images since the start have given together. */
function showExamination() {
  const list = examinationRows();
  part("exam").hidden = list.length === 0;
  fill(part("exam-numbers"), list);
  setExaminationData(root.dataset);
}

function showResult() {
  const { scan, plane, maps, result } = state;
  const sizes = result && !result.reason ? result.sizes : {};
  root.dataset.plane = plane;
  root.dataset.sizes = JSON.stringify(sizes);
  root.dataset.reason = result ? result.reason : "";
  part("results").hidden = !maps;
  drawShape(part("ellipse"), result || {}, scan || { width: 1, height: 1 });
  part("ellipse").classList.toggle("declined", Boolean(result && result.reason));
  if (maps) {
    drawMask(part("mask"), maps[plane], scan);
    drawProbs(part("probs"), maps[plane], scan);
  }
  showNumbers();
  showChart();
}

function tell() {
  const { plane, reason, sizes } = state.result;
  if (reason) say(`No measurement: ${reason}.`, true);
  else {
    const { mm, low, high } = sizes[charted(plane)];
    say(`${TITLES[charted(plane)]} ${fixed(mm, 1)} mm, ${fixed(low, 1)} to ${fixed(high, 1)} mm.`);
  }
}

/** Measure the maps that are there with the pixel size that is there. */
function measureMaps() {
  const pixelSizeMm = decimal("pixel-size");
  const problem = pixelSizeProblem(pixelSizeMm);
  const isWrong = Boolean(problem && part("pixel-size").value.trim());
  part("pixel-problem").textContent = isWrong ? problem : "";
  part("pixel-size").setAttribute("aria-invalid", isWrong);
  state.result = state.refusal ? { reason: state.refusal } : null;
  if (state.maps && !problem) state.result = measureScan(state.maps, state.plane, state.scan, pixelSizeMm);
  if (state.maps) addToExamination(state.plane, state.result ? state.result.sizes : {});
  showResult();
  showExamination();
  if (state.result) tell();
  else if (state.maps) say("Now give the side of a pixel, or measure it with the ruler.");
}

/** Look what the scan that is there shows, and where. */
async function look() {
  const turn = (state.turn += 1);
  root.setAttribute("aria-busy", "true");
  const began = performance.now();
  try {
    const plane = bestPlane(await planeProbs(state.scan, say));
    const refusal = plane === "other" ? NUMBERS.planes.none : "";
    const maps = refusal ? null : await biometryMaps(state.scan, say);
    if (turn !== state.turn) return;
    Object.assign(state, { plane, maps, refusal });
    measureMaps();
    root.dataset.seconds = ((performance.now() - began) / 1000).toFixed(2);
  } catch (error) {
    if (turn === state.turn) say(`No measurement: ${error.message}.`, true);
  } finally {
    if (turn === state.turn) root.setAttribute("aria-busy", "false");
  }
}

/** Forget what was said of the image before: a pixel size and an age belong to one image. */
function clearFields() {
  if (!state.scan) return;
  ["pixel-size", "weeks", "days"].forEach((name) => { part(name).value = ""; });
  part("ruler-on").checked = false;
}

/** Take an image in, with its pixel size in mm and its age in days where they are known. */
async function takeImage(blob, name, known = {}) {
  const turn = (state.turn += 1);
  let scan;
  try {
    scan = await readGray(blob);
  } catch (error) {
    if (turn === state.turn) say(`${name} cannot be read. ${error.message}`, true);
    return;
  }
  if (turn !== state.turn) return;
  clearFields();
  if (known.pixelSizeMm) part("pixel-size").value = known.pixelSizeMm;
  if (known.weeks) ["weeks", "days"].forEach((key) => { part(key).value = known[key]; });
  Object.assign(state, { scan, name, plane: "", maps: null, refusal: "", result: null });
  part("stage").hidden = false;
  const truth = known.truthMm ? `, drawn with a circumference of ${known.truthMm} mm` : "";
  part("caption").textContent = `${name}, ${scan.width} × ${scan.height} pixels${truth}`;
  part("scan").setAttribute("aria-label", `The scan ${name} with what was found in it`);
  part("layers").style.setProperty("--ti-shape", scan.width / scan.height);
  drawScan(part("scan"), scan);
  Object.assign(part("mask"), { width: 1, height: 1 });
  ruler.reset(scan);
  showRuler();
  showResult();
  await look();
}

function showRuler() {
  const isOn = part("ruler-on").checked;
  part("ruler").toggleAttribute("hidden", !isOn);
  part("ruler-fields").hidden = !isOn;
  part("ruler-length").textContent = `${ruler.length().toFixed(1)} pixels`;
}

/** Set the pixel size from the ruler. */
function useRuler() {
  const lengthMm = decimal("ruler-mm");
  showRuler();
  if (!part("ruler-on").checked || !(lengthMm > 0)) return;
  part("pixel-size").value = (lengthMm / ruler.length()).toFixed(5);
  measureMaps();
}

async function takeSample(button) {
  const { sample, name, ...known } = button.dataset;
  say("Loading the sample …");
  const { TRY_IT_PARTS: parts } = globalThis;
  try {
    if (!parts[sample]) await loadScript(`${sample}.js`);
    const done = takeImage(new Blob([bytesFromBase64(parts[sample])]), name, known);
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    part("status").scrollIntoView({ block: "start", behavior: isCalm ? "auto" : "smooth" });
    await done;
  } catch (error) {
    say(`No sample: ${error.message}.`);
  }
}

function listen() {
  part("file").addEventListener("change", ({ target }) => {
    if (target.files.length) takeImage(target.files[0], target.files[0].name);
    target.value = "";
  });
  const drop = part("drop");
  ["dragenter", "dragover"].forEach((name) => drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  }));
  ["dragleave", "drop"].forEach((name) => drop.addEventListener(name, () => drop.classList.remove("over")));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) takeImage(file, file.name);
  });
  root.querySelectorAll("[data-sample]").forEach((button) => button.addEventListener("click", () => takeSample(button)));
  part("pixel-size").addEventListener("input", measureMaps);
  ["weeks", "days"].forEach((name) => part(name).addEventListener("input", showResult));
  new ResizeObserver(showChart).observe(root);
  part("exam-clear").addEventListener("click", () => {
    clearExamination();
    showExamination();
  });
  part("ruler-mm").addEventListener("input", useRuler);
  part("ruler-on").addEventListener("change", showRuler);
  part("overlay").addEventListener("change", ({ target }) => part("stage").classList.toggle("bare", !target.checked));
}

part("bar").style.background = COLOUR_BAR;
root.hidden = false;
showRuler();
showResult();
showExamination();
listen();
say(`Choose an image or a sample. The first one loads the networks, ${NUMBERS.download_mb} MB.`);
