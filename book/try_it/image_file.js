/* Read an image file as gray values. What cannot be read for certain is refused with the reason, never guessed. */

import { grayFromRgba } from "./squash.js";

const MAX_PIXELS = 64e6;
const ELSEWHERE = "fetal-lib predict biometry reads it";

const starts = (bytes, ...head) => head.every((value, i) => bytes[i] === value);
const holds = (bytes, text) => new TextDecoder("latin1").decode(bytes.subarray(0, 4096)).includes(text);

/** Say why a file's bytes are not taken for one gray or colour picture of eight bits; empty when they are. */
export function fileProblem(bytes) {
  if (bytes.length === 0) return "The file is empty: copy or download it again.";
  if (starts(bytes, 0x89, 0x50, 0x4e, 0x47)) {
    if (bytes[24] === 16) return `A PNG of 16 bits: browsers cut it to 8; save it as 8-bit gray, or ${ELSEWHERE}.`;
    return holds(bytes, "acTL") ? "A PNG of several frames: save the one you mean as a file of its own." : "";
  }
  if (starts(bytes, 0xff, 0xd8) || starts(bytes, 0x42, 0x4d)) return "";
  if (starts(bytes, 0x49, 0x49, 0x2a) || starts(bytes, 0x4d, 0x4d, 0x00)) {
    return `A TIFF, which browsers do not show: save it as PNG, or ${ELSEWHERE}.`;
  }
  if (holds(bytes.subarray(128), "DICM")) return `A DICOM file: export the picture as PNG, or ${ELSEWHERE}.`;
  return "No PNG, JPEG or BMP: export the scan as PNG.";
}

/**
 * Decode a file.
 *
 * @param {Blob} file
 * @returns {Promise<{values: Uint8Array, width: number, height: number}>} gray, transparency laid on black
 */
export async function readGray(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const problem = fileProblem(bytes);
  if (problem) throw new Error(problem);
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: "none" });
  } catch {
    throw new Error("The image is truncated or damaged: copy or download the file again.");
  }
  const { width, height } = bitmap;
  if (width * height > MAX_PIXELS) throw new Error(`${width} x ${height} pixels: give the scan itself, not a poster.`);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { values: grayFromRgba(context.getImageData(0, 0, width, height).data), width, height };
}
