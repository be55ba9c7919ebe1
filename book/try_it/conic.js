/* The direct least-squares fit of an ellipse: fetal_lib/geometry/conic.py in JavaScript.
   A conic is [A, B, C, D, E, F] of A x² + B xy + C y² + D x + E y + F = 0. */

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

const multiply = (a, b) => a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));

const transpose = (a) => a[0].map((_, j) => a.map((row) => row[j]));

/** Return the inverse of a 3 x 3 matrix; throw when its rows lie in one plane. */
function inverse3(m) {
  const columns = [cross(m[1], m[2]), cross(m[2], m[0]), cross(m[0], m[1])];
  const determinant = dot(m[0], columns[0]);
  const size = Math.hypot(...m.flat());
  if (!(Math.abs(determinant) > 1e-12 * size ** 3)) throw new Error("the points lie on one line");
  return transpose(columns.map((column) => column.map((value) => value / determinant)));
}

/** Return the real eigenvalues of a 3 x 3 matrix: roots of its characteristic cubic, polished by Newton steps. */
function eigenvalues3(m) {
  const trace = m[0][0] + m[1][1] + m[2][2];
  const minors =
    m[0][0] * m[1][1] - m[0][1] * m[1][0] + (m[0][0] * m[2][2] - m[0][2] * m[2][0]) + (m[1][1] * m[2][2] - m[1][2] * m[2][1]);
  const determinant = dot(m[0], cross(m[1], m[2]));
  const p = minors - trace ** 2 / 3;
  const q = (-2 * trace ** 3) / 27 + (trace * minors) / 3 - determinant;
  const polish = (guess) => {
    let x = guess;
    for (let i = 0; i < 8; i += 1) {
      const slope = (3 * x - 2 * trace) * x + minors;
      if (slope === 0) break;
      x -= (((x - trace) * x + minors) * x - determinant) / slope;
    }
    return Number.isFinite(x) ? x : guess;
  };
  const inside = q ** 2 / 4 + p ** 3 / 27;
  if (inside > 0) {
    const root = Math.sqrt(inside);
    return [polish(Math.cbrt(-q / 2 + root) + Math.cbrt(-q / 2 - root) + trace / 3)];
  }
  const radius = 2 * Math.sqrt(-p / 3);
  const angle = radius === 0 ? 0 : Math.acos(Math.min(1, Math.max(-1, (3 * q) / (p * radius)))) / 3;
  return [0, 1, 2].map((k) => polish(radius * Math.cos(angle - (2 * Math.PI * k) / 3) + trace / 3));
}

/** Return the unit eigenvector that belongs to an eigenvalue: normal to the rows of M - λ. */
function eigenvector3(m, value) {
  const rows = m.map((row, i) => row.map((entry, j) => entry - (i === j ? value : 0)));
  const normals = [cross(rows[0], rows[1]), cross(rows[0], rows[2]), cross(rows[1], rows[2])];
  const lengths = normals.map((normal) => Math.hypot(...normal));
  const best = lengths.indexOf(Math.max(...lengths));
  return normals[best].map((entry) => entry / lengths[best]);
}

/** Fit the ellipse-type conic of least algebraic distance to centred and scaled points [x, y]. */
export function fitConic(points) {
  const zeros = () => [[0, 0, 0], [0, 0, 0], [0, 0, 0]];
  const [square, mixed, flat] = [zeros(), zeros(), zeros()];
  for (const [x, y] of points) {
    const quadratic = [x * x, x * y, y * y];
    const linear = [x, y, 1];
    for (let i = 0; i < 3; i += 1) {
      for (let j = 0; j < 3; j += 1) {
        square[i][j] += quadratic[i] * quadratic[j];
        mixed[i][j] += quadratic[i] * linear[j];
        flat[i][j] += linear[i] * linear[j];
      }
    }
  }
  const toLinear = multiply(inverse3(flat), transpose(mixed)).map((row) => row.map((value) => -value));
  const product = multiply(mixed, toLinear);
  const scatter = square.map((row, i) => row.map((value, j) => value + product[i][j]));
  const reduced = [scatter[2].map((v) => v / 2), scatter[1].map((v) => -v), scatter[0].map((v) => v / 2)];
  const isEllipse = (v) => 4 * v[0] * v[2] - v[1] ** 2;
  const best = eigenvalues3(reduced)
    .map((value) => eigenvector3(reduced, value))
    .filter((v) => v.every(Number.isFinite))
    .reduce((a, b) => (a && isEllipse(a) >= isEllipse(b) ? a : b), null);
  if (!best || isEllipse(best) <= 1e-12) throw new Error("no conic through these points is an ellipse");
  return [...best, ...toLinear.map((row) => dot(row, best))];
}

/** Return the eigenvalues of [[a, b], [b, c]], the smaller first, and the angle of the larger one's axis. */
function symmetricAxes(a, b, c) {
  const middle = (a + c) / 2;
  const half = Math.hypot((a - c) / 2, b);
  return { small: middle - half, large: middle + half, angle: Math.atan2(2 * b, a - c) / 2 };
}

/** Read centre, semi-axes and angle off an ellipse-type conic; throw when it is no real ellipse. */
export function conicToAxes([a, b, c, d, e, f]) {
  const determinant = a * c - (b * b) / 4;
  const x = (-0.5 * (c * d - (b / 2) * e)) / determinant;
  const y = (-0.5 * (a * e - (b / 2) * d)) / determinant;
  const level = -(f + 0.5 * (d * x + e * y));
  if (!Number.isFinite(level) || level === 0) throw new Error("the conic is a single point");
  const { small, large, angle } = symmetricAxes(a / level, b / 2 / level, c / level);
  if (!(small > 0)) throw new Error("the conic is not a real ellipse");
  return { x, y, major: 1 / Math.sqrt(small), minor: 1 / Math.sqrt(large), angle: angle + Math.PI / 2 };
}

/** Read semi-axes and angle off the shape matrix [[a, b], [b, c]] = R diag(major², minor²) Rᵀ. */
export function shapeToAxes(a, b, c) {
  const { small, large, angle } = symmetricAxes(a, b, c);
  return { major: Math.sqrt(large), minor: Math.sqrt(small), angle };
}
