/* What is drawn over and beside the scan: mask, ellipse, and the probability of every pixel. */

import { boundary } from "./ellipse.js";
import { svgElement } from "./svg.js";

/* Cividis in six steps: it reads the same to people who see colours differently. */
const COLOURS = [[0, 32, 77], [56, 71, 108], [107, 109, 117], [150, 145, 119], [203, 186, 105], [255, 234, 70]];

export const COLOUR_BAR = `linear-gradient(to right, ${COLOURS.map((rgb) => `rgb(${rgb.join(" ")})`).join(", ")})`;

function colourOf(p) {
  const at = Math.min(Math.max(p, 0), 1) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(at), COLOURS.length - 2);
  return COLOURS[low].map((value, i) => value + (COLOURS[low + 1][i] - value) * (at - low));
}

function paint(canvas, width, height, colourAt) {
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    const [r, g, b, a] = colourAt(i);
    image.data.set([r, g, b, a], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Draw a gray image on a canvas, pixel by pixel. */
export function drawScan(canvas, { values, width, height }) {
  paint(canvas, width, height, (i) => [values[i], values[i], values[i], 255]);
}

/** Draw a map, stretched to the scan's shape, on a canvas. */
function drawStretched(canvas, map, scan, colourAt, isSmooth) {
  const small = paint(document.createElement("canvas"), map.width, map.height, colourAt);
  Object.assign(canvas, { width: scan.width, height: scan.height });
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = isSmooth;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, scan.width, scan.height);
}

/** Draw how probable the head is at every pixel. */
export function drawProbs(canvas, map, scan) {
  drawStretched(canvas, map, scan, (i) => [...colourOf(map.values[i]), 255], true);
}

/** Draw the mask as a veil: where the probability is a half or more. */
export function drawMask(canvas, map, scan) {
  drawStretched(canvas, map, scan, (i) => [108, 197, 221, map.values[i] >= 0.5 ? 55 : 0], false);
}

/** Draw an ellipse and a line into an <svg> whose unit is a pixel of the scan; what is missing is not drawn. */
export function drawShape(svg, { ellipse, line } = {}, scan) {
  svg.replaceChildren();
  svg.setAttribute("viewBox", `-0.5 -0.5 ${scan.width} ${scan.height}`);
  const shapes = [ellipse && ["polygon", boundary(ellipse, 180)], line && ["polyline", line]].filter(Boolean);
  for (const kind of ["halo", "ellipse"]) {
    for (const [element, points] of shapes) {
      const text = points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" ");
      svg.append(svgElement(element, { class: kind, points: text }));
    }
  }
}
