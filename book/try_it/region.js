/* Regions of a probability map and their sub-pixel edge: fetal_lib/geometry/contour.py in JavaScript.
   A map is {values, width, height}, row by row; the pixel in row i, column j has its centre at (j, i). */

const SIDES = [[1, 0], [-1, 0], [0, 1], [0, -1]];
const CORNERS = [[1, 1], [1, -1], [-1, 1], [-1, -1]];

/** Give every pixel of `mask` its region's number, from 1; return the labels and the size of each region. */
export function labelRegions(mask, width, height, steps) {
  const labels = new Int32Array(width * height);
  const sizes = [0];
  const queue = new Int32Array(width * height);
  for (let start = 0; start < mask.length; start += 1) {
    if (!mask[start] || labels[start]) continue;
    const label = sizes.length;
    let end = 1;
    queue[0] = start;
    labels[start] = label;
    for (let at = 0; at < end; at += 1) {
      const x = queue[at] % width;
      const y = (queue[at] - x) / width;
      for (const [dx, dy] of steps) {
        const u = x + dx;
        const v = y + dy;
        if (u < 0 || v < 0 || u >= width || v >= height) continue;
        const next = v * width + u;
        if (mask[next] && !labels[next]) {
          labels[next] = label;
          queue[end] = next;
          end += 1;
        }
      }
    }
    sizes.push(end);
  }
  return { labels, sizes };
}

/** Mark the pixels off the wall from which no path, corners allowed, leads to the image border. */
export function enclosed(wall, width, height) {
  const wide = width + 2;
  const free = new Uint8Array(wide * (height + 2)).fill(1);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (wall[y * width + x]) free[(y + 1) * wide + x + 1] = 0;
    }
  }
  const { labels } = labelRegions(free, wide, height + 2, [...SIDES, ...CORNERS]);
  const inside = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      inside[y * width + x] = labels[(y + 1) * wide + x + 1] > 1 ? 1 : 0;
    }
  }
  return inside;
}

/** Keep the largest 4-connected region and fill its holes; null when the mask is empty. */
export function largestRegion(mask, width, height) {
  const { labels, sizes } = labelRegions(mask, width, height, SIDES);
  if (sizes.length === 1) return null;
  let best = 1;
  for (let i = 2; i < sizes.length; i += 1) if (sizes[i] > sizes[best]) best = i;
  const region = Uint8Array.from(labels, (label) => (label === best ? 1 : 0));
  const holes = enclosed(region, width, height);
  for (let i = 0; i < region.length; i += 1) if (holes[i]) region[i] = 1;
  return region;
}

/** Find where a field crosses a level between neighbouring pixel centres: an array of [x, y]. */
export function levelCrossings({ values, width, height }, level) {
  const points = [];
  const share = (a, b) => (level - a) / (b - a);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const here = values[y * width + x];
      const right = x + 1 < width ? values[y * width + x + 1] : here;
      const below = y + 1 < height ? values[(y + 1) * width + x] : here;
      if (here >= level !== right >= level) points.push([x + share(here, right), y]);
      if (here >= level !== below >= level) points.push([x, y + share(here, below)]);
    }
  }
  return points;
}

/** Find the outer sub-pixel edge of the largest region at or above a level: an array of [x, y]. */
export function regionEdge({ values, width, height }, level) {
  const high = Uint8Array.from(values, (p) => (p >= level ? 1 : 0));
  const region = largestRegion(high, width, height);
  if (!region) return [];
  const field = new Float64Array(values.length);
  for (let i = 0; i < field.length; i += 1) {
    if (region[i] === high[i]) field[i] = values[i];
    else field[i] = region[i] ? 2 * level + 1 : -1;
  }
  return levelCrossings({ values: field, width, height }, level);
}
