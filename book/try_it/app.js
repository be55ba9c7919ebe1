/* The page: an image in, a measurement or the reason for none out. Nothing leaves the browser. */

import { drawChart } from "./chart.js";
import { centileAt, weeksDays } from "./growth.js";
import { readGray } from "./image_file.js";
import { measureHead, noHead, percent, pixelSizeProblem } from "./measure.js";
import { bytesFromBase64, headProbs, loadScript, planeProbs } from "./network.js";
import { NUMBERS } from "./numbers.js";
import { COLOUR_BAR, drawEllipse, drawMask, drawProbs, drawScan } from "./pictures.js";
import { makeRuler } from "./ruler.js";

const root = document.getElementById("measure-head");
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const state = { scan: null, name: "", map: null, refusal: "", result: null, turn: 0 };
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

function rows() {
  const { hcMm, lowMm, highMm, gaDays, gaHadlockDays, cut, agreement } = state.result;
  const age = (days) => (days > 0 ? `${weeksDays(days)} weeks (${days.toFixed(1)} days)` : "outside the formula's range");
  const list = [
    ["Head circumference", `${fixed(hcMm, 1)} mm`, "hc"],
    [`${percent(NUMBERS.model.interval_coverage)} interval`, `${fixed(lowMm, 1)} to ${fixed(highMm, 1)} mm`, "interval"],
    ["Age by INTERGROWTH-21st", age(gaDays), "age"],
    ["Age by Hadlock 1984", age(gaHadlockDays), "age-hadlock"],
  ];
  const known = knownDays();
  if (Number.isFinite(known)) {
    const centile = centileAt(hcMm, known);
    const text = Number.isFinite(centile) ? `${centile.toFixed(1)} at ${weeksDays(known)} weeks` : "the standard says nothing here";
    list.push(["Centile by INTERGROWTH-21st", text, "centile"]);
  }
  list.push(["Outline outside the image", percent(cut), "cut"]);
  list.push(["Agreement of mask and ellipse (Dice)", fixed(agreement, 3), "agreement"]);
  return list;
}

function describeChart() {
  const { hcMm, gaDays } = state.result;
  const age = gaDays > 0 ? `, the size of a head at ${weeksDays(gaDays)} weeks` : "";
  return `Growth chart of head circumference by age, with a line at ${fixed(hcMm, 0)} mm${age}.`;
}

function showNumbers() {
  const numbers = part("numbers");
  numbers.replaceChildren();
  numbers.hidden = Boolean(state.result.reason);
  for (const [term, value, key] of state.result.reason ? [] : rows()) {
    const row = document.createElement("div");
    const [name, text] = ["dt", "dd"].map((tag) => row.appendChild(document.createElement(tag)));
    row.dataset.row = key;
    name.textContent = term;
    text.textContent = value;
    numbers.append(row);
  }
}

function showChart() {
  const isMeasured = Boolean(state.result && !state.result.reason);
  part("growth").hidden = !isMeasured;
  if (!isMeasured) return;
  drawChart(part("chart"), state.result, knownDays());
  part("chart").setAttribute("aria-label", describeChart());
}

function showResult() {
  const { scan, map, result } = state;
  root.dataset.hc = result && !result.reason ? result.hcMm : "";
  root.dataset.reason = result ? result.reason : "";
  part("results").hidden = !map;
  drawEllipse(part("ellipse"), result && result.ellipse, scan || { width: 1, height: 1 });
  part("ellipse").classList.toggle("declined", Boolean(result && result.reason));
  if (map) {
    drawMask(part("mask"), map, scan);
    drawProbs(part("probs"), map, scan);
  }
  if (result) showNumbers();
  else part("numbers").replaceChildren();
  showChart();
}

function tell() {
  const { result } = state;
  if (result.reason) say(`No measurement: ${result.reason}.`, true);
  else say(`Head circumference ${fixed(result.hcMm, 1)} mm, ${fixed(result.lowMm, 1)} to ${fixed(result.highMm, 1)} mm.`);
}

/** Measure the map that is there with the pixel size that is there. */
function measureMap() {
  const pixelSizeMm = decimal("pixel-size");
  const problem = pixelSizeProblem(pixelSizeMm);
  const isWrong = Boolean(problem && part("pixel-size").value.trim());
  part("pixel-problem").textContent = isWrong ? problem : "";
  part("pixel-size").setAttribute("aria-invalid", isWrong);
  state.result = state.refusal ? { reason: state.refusal } : null;
  if (state.map && !problem) state.result = measureHead(state.map, state.scan, pixelSizeMm);
  showResult();
  if (state.result) tell();
  else if (state.map) say("Now give the side of a pixel, or measure it with the ruler.");
}

/** Look for the head in the scan that is there. */
async function findHead() {
  const turn = (state.turn += 1);
  root.setAttribute("aria-busy", "true");
  const began = performance.now();
  try {
    const refusal = noHead(await planeProbs(state.scan, say));
    const map = refusal ? null : await headProbs(state.scan, say);
    if (turn !== state.turn) return;
    Object.assign(state, { map, refusal });
    root.dataset.seconds = ((performance.now() - began) / 1000).toFixed(2);
    measureMap();
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
  Object.assign(state, { scan, name, map: null, refusal: "", result: null });
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
  await findHead();
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
  measureMap();
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
  part("pixel-size").addEventListener("input", measureMap);
  ["weeks", "days"].forEach((name) => part(name).addEventListener("input", showResult));
  new ResizeObserver(showChart).observe(root);
  part("ruler-mm").addEventListener("input", useRuler);
  part("ruler-on").addEventListener("change", showRuler);
  part("overlay").addEventListener("change", ({ target }) => part("stage").classList.toggle("bare", !target.checked));
}

part("bar").style.background = COLOUR_BAR;
root.hidden = false;
showRuler();
showResult();
listen();
say(`Choose an image or a sample. The first one loads the networks, ${NUMBERS.download_mb} MB.`);
