/* The networks in the page: ONNX Runtime's WebAssembly and the weights come from script files, because a page
   that is opened from a disk may load scripts but nothing else. They are loaded when the first image is measured. */

import { NUMBERS } from "./numbers.js";
import { fitInto, letterbox, quarterTurned } from "./squash.js";

const HERE = document.currentScript ? document.currentScript.src : "";

globalThis.TRY_IT_PARTS = globalThis.TRY_IT_PARTS || {};

let loading = null;

/** Load a script that lies beside this one. */
export function loadScript(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL(name, HERE).href;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`the file ${name} could not be loaded; load the page again`));
    document.head.append(script);
  });
}

/** Turn base64 text into bytes. */
export function bytesFromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function unpack(part) {
  const packed = new Blob([bytesFromBase64(globalThis.TRY_IT_PARTS[part])]);
  delete globalThis.TRY_IT_PARTS[part];
  return new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function openNetworks(say) {
  if (typeof WebAssembly !== "object" || typeof DecompressionStream !== "function") {
    throw new Error("this browser is too old: it needs WebAssembly and DecompressionStream (since 2023)");
  }
  say(`Loading the networks, ${NUMBERS.download_mb} MB, once …`);
  await Promise.all(["runtime.js", "model.js", "planes.js"].map(loadScript));
  say("Starting the networks …");
  const { ort } = globalThis;
  const address = (content, type) => URL.createObjectURL(new Blob([content], { type }));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = {
    mjs: address(globalThis.TRY_IT_PARTS.glue, "text/javascript"),
    wasm: address(await unpack("wasm"), "application/wasm"),
  };
  const open = async (name) => ort.InferenceSession.create(await unpack(name), { executionProviders: ["wasm"] });
  return { model: await open("model"), planes: await open("planes") };
}

/** Return the networks, loading them on the first call; a failed load can be tried again. */
function networks(say) {
  if (!loading) {
    loading = openNetworks(say).catch((error) => {
      loading = null;
      throw error;
    });
  }
  return loading;
}

/** Copy a picture's numbers, mirrored along either axis. */
function flipped(values, width, height, [leftRight, upDown], out, offset) {
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = (upDown ? height - 1 - y : y) * width + (leftRight ? width - 1 - x : x);
      out[offset + y * width + x] = values[from];
    }
  }
}

/** Run a network on mirrored views of an image; return all that it says, one view after the other. */
async function runViews(running, { values, width, height }, views) {
  const size = width * height;
  const input = new Float32Array(views.length * size);
  const scaledValues = Float32Array.from(values, (value) => value / 255);
  views.forEach((view, i) => flipped(scaledValues, width, height, view, input, i * size));
  const tensor = new globalThis.ort.Tensor("float32", input, [views.length, height, width, 1]);
  const output = await running.run({ [running.inputNames[0]]: tensor });
  return output[running.outputNames[0]].data;
}

/** Return the probability of each plane that an image may show. */
export async function planeProbs(image, say) {
  const { planes } = await networks(say);
  const { side, mirrors, names, temperature } = NUMBERS.planes;
  say("Looking what it shows …");
  await new Promise((resolve) => setTimeout(resolve, 30));
  const views = mirrors.map((axes) => [axes.includes(2), axes.includes(1)]);
  const raw = await runViews(planes, letterbox(image, side), views);
  const sum = (k) => views.reduce((total, _, i) => total + raw[i * names.length + k], 0);
  const logits = names.map((_, k) => sum(k) / views.length / temperature);
  const powers = logits.map((one) => Math.exp(one - Math.max(...logits)));
  return powers.map((one) => one / powers.reduce((a, b) => a + b, 0));
}

/**
 * Return the maps of the network by channel; they cover the scan and nothing else.
 *
 * @param {{values: Uint8Array, width: number, height: number}} scan
 * @param {(text: string) => void} say told what is being waited for
 */
export async function biometryMaps(scan, say) {
  const { model } = await networks(say);
  say("Looking for its outline …");
  await new Promise((resolve) => setTimeout(resolve, 30));
  const { width, height, even, channels } = NUMBERS.model;
  const { values, place } = fitInto(scan, { width, height }, even);
  const input = Float32Array.from(values, (value) => value / 255);
  const tensor = new globalThis.ort.Tensor("float32", input, [1, 1, height, width]);
  const output = (await model.run({ [model.inputNames[0]]: tensor }))[model.outputNames[0]];
  const [, , rows, columns] = output.dims;
  const size = rows * columns;
  const map = (i) => ({ values: output.data.subarray(i * size, (i + 1) * size), width: columns, height: rows });
  return Object.fromEntries(channels.map((name, i) => [name, cutOut(map(i), place, width)]));
}

/** Cut out of a map what belongs to the scan. */
function cutOut(map, place, inputWidth) {
  const share = map.width / inputWidth;
  const [left, top, width, height] = ["left", "top", "width", "height"].map((side) => Math.round(place[side] * share));
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const from = (top + y) * map.width + left;
    values.set(map.values.subarray(from, from + width), y * width);
  }
  return place.turned ? quarterTurned({ values, width, height }, -1) : { values, width, height };
}
