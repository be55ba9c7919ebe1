/* A ruler of known length over the scan: two ends to drag, or to move with the arrow keys. */

import { svgElement } from "./svg.js";

const STEP = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Put a ruler into an <svg> that covers the scan.
 *
 * @param {SVGElement} svg
 * @param {() => void} changed called when an end was moved
 */
export function makeRuler(svg, changed) {
  const line = svgElement("line", { class: "ruler-line" });
  const ends = ["first", "second"].map((name) => {
    const group = svgElement("g", { class: "ruler-end", tabindex: 0, role: "button" });
    group.dataset.name = name;
    group.append(svgElement("circle", { class: "touch" }), svgElement("circle", { class: "dot" }));
    group.append(svgElement("path", { class: "cross" }));
    return { group, x: 0, y: 0 };
  });
  let size = { width: 1, height: 1 };

  const clamp = (value, limit) => Math.min(limit - 0.5, Math.max(-0.5, value));
  const unit = () => size.width / Math.max(1, svg.getBoundingClientRect().width);

  function draw() {
    const px = unit();
    line.setAttribute("stroke-width", 2 * px);
    ends.forEach(({ group, x, y }) => {
      group.setAttribute("transform", `translate(${x} ${y})`);
      group.querySelector(".touch").setAttribute("r", 22 * px);
      group.querySelector(".dot").setAttribute("r", 9 * px);
      group.querySelector(".cross").setAttribute("d", `M${-4 * px} 0H${4 * px}M0 ${-4 * px}V${4 * px}`);
      group.querySelectorAll(".dot, .cross").forEach((part) => part.setAttribute("stroke-width", 1.5 * px));
      const place = `${Math.round(x)} pixels from the left, ${Math.round(y)} from the top`;
      group.setAttribute("aria-label", `${group.dataset.name} end of the ruler, ${place}; move it with the arrow keys`);
    });
    ["x", "y"].forEach((axis) => ends.forEach((end, i) => line.setAttribute(`${axis}${i + 1}`, end[axis])));
  }

  function move(end, x, y) {
    Object.assign(end, { x: clamp(x, size.width), y: clamp(y, size.height) });
    draw();
    changed();
  }

  function place(event) {
    const box = svg.getBoundingClientRect();
    const px = unit();
    return [(event.clientX - box.left) * px - 0.5, (event.clientY - box.top) * px - 0.5];
  }

  ends.forEach((end) => {
    const { group } = end;
    let grip = null;
    group.addEventListener("pointerdown", (event) => {
      const [x, y] = place(event);
      grip = [end.x - x, end.y - y];
      group.setPointerCapture(event.pointerId);
      event.preventDefault();
      group.focus();
    });
    group.addEventListener("pointermove", (event) => {
      if (!grip) return;
      const [x, y] = place(event);
      move(end, x + grip[0], y + grip[1]);
    });
    ["pointerup", "pointercancel"].forEach((name) => group.addEventListener(name, () => { grip = null; }));
    group.addEventListener("keydown", (event) => {
      const step = STEP[event.key];
      if (!step) return;
      event.preventDefault();
      const by = event.shiftKey ? 10 : 1;
      move(end, end.x + by * step[0], end.y + by * step[1]);
    });
  });
  svg.append(line, ...ends.map(({ group }) => group));
  new ResizeObserver(draw).observe(svg);

  return {
    /** Lay the ruler over the middle of a scan. */
    reset(scan) {
      size = scan;
      svg.setAttribute("viewBox", `-0.5 -0.5 ${scan.width} ${scan.height}`);
      Object.assign(ends[0], { x: 0.3 * scan.width, y: 0.5 * scan.height });
      Object.assign(ends[1], { x: 0.7 * scan.width, y: 0.5 * scan.height });
      draw();
    },
    /** Give its length in pixels of the scan. */
    length: () => Math.hypot(ends[0].x - ends[1].x, ends[0].y - ends[1].y),
  };
}
