/* Pixels to what the network takes: gray as Pillow makes it, size as OpenCV's INTER_AREA makes it. */

/** Turn RGBA bytes into gray bytes (ITU-R 601-2, in Pillow's whole numbers). */
export function grayFromRgba(rgba) {
  const gray = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < gray.length; i += 1) {
    const at = 4 * i;
    gray[i] = (rgba[at] * 19595 + rgba[at + 1] * 38470 + rgba[at + 2] * 7471 + 32768) >> 16;
  }
  return gray;
}

/** List which source pixels a target pixel takes, and how much of each, when an axis shrinks. */
function areaTable(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * scale, Math.min((i + 1) * scale, from)];
    const cell = Math.min(scale, from - start);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(start), last);
    const parts = [];
    if (first - start > 1e-3) parts.push([first - 1, (first - start) / cell]);
    for (let at = first; at < last; at += 1) parts.push([at, 1 / cell]);
    if (end - last > 1e-3) parts.push([last, Math.min(end - last, 1, cell) / cell]);
    return parts;
  });
}

/** The same for an axis that does not shrink: two neighbours, as OpenCV weights them. */
function linearTable(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    let at = Math.floor(i * scale);
    const over = i + 1 - (at + 1) / scale;
    let share = over <= 0 ? 0 : over - Math.floor(over);
    if (at >= from - 1) [at, share] = [from - 1, 0];
    return [[at, 1 - share], [Math.min(at + 1, from - 1), share]];
  });
}

export function roundHalfEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}

/** Resize gray bytes by area: cv2.resize(..., INTER_AREA). */
export function squash({ values, width, height }, to) {
  const shrinks = width >= to.width && height >= to.height;
  const table = shrinks ? areaTable : linearTable;
  const columns = table(width, to.width);
  const rows = table(height, to.height);
  const out = new Uint8Array(to.width * to.height);
  const sums = new Float64Array(to.width);
  rows.forEach((parts, y) => {
    sums.fill(0);
    for (const [v, rowShare] of parts) {
      columns.forEach((cells, x) => {
        let sum = 0;
        for (const [u, share] of cells) sum += values[v * width + u] * share;
        sums[x] += sum * rowShare;
      });
    }
    sums.forEach((sum, x) => {
      out[y * to.width + x] = Math.min(255, roundHalfEven(sum));
    });
  });
  return { values: out, width: to.width, height: to.height };
}

/** Turn a picture or a map by a quarter: to the left with way 1, to the right with way -1; np.rot90. */
export function quarterTurned({ values, width, height }, way) {
  const out = new values.constructor(values.length);
  for (let y = 0; y < width; y += 1) {
    for (let x = 0; x < height; x += 1) {
      const from = way > 0 ? x * width + (width - 1 - y) : (height - 1 - x) * width + y;
      out[y * height + x] = values[from];
    }
  }
  return { values: out, width: height, height: width };
}

/**
 * Fit gray bytes into the input of a network of biometry: fit_into of fetal_lib/predict/biometry_maps.py.
 *
 * @returns {{values: Uint8Array, width: number, height: number, place: object}} place: left, top, width, height
 */
export function fitInto(scan, to, even) {
  const turned = scan.height > scan.width;
  const image = turned ? quarterTurned(scan, 1) : scan;
  const scale = Math.min(to.height / image.height, to.width / image.width);
  const sides = ["width", "height"].map((side) =>
    Math.min(Math.max(even * roundHalfEven((image[side] * scale) / even), even), to[side]));
  const [width, height] = sides;
  const small = squash(image, { width, height });
  const left = even * Math.floor(Math.floor((to.width - width) / 2) / even);
  const top = even * Math.floor(Math.floor((to.height - height) / 2) / even);
  const values = new Uint8Array(to.width * to.height);
  for (let y = 0; y < height; y += 1) {
    values.set(small.values.subarray(y * width, (y + 1) * width), (top + y) * to.width + left);
  }
  return { values, width: to.width, height: to.height, place: { left, top, width, height, turned } };
}

/** Fit gray bytes into a square, the aspect kept, black beside them: letterbox of fetal_lib/predict/plane.py. */
export function letterbox(image, side) {
  const scale = side / Math.max(image.width, image.height);
  const [width, height] = [image.width, image.height].map((n) => Math.max(1, roundHalfEven(n * scale)));
  const small = squash(image, { width, height });
  const values = new Uint8Array(side * side);
  const [left, top] = [width, height].map((n) => Math.floor((side - n) / 2));
  for (let y = 0; y < height; y += 1) {
    values.set(small.values.subarray(y * width, (y + 1) * width), (top + y) * side + left);
  }
  return { values, width: side, height: side };
}
