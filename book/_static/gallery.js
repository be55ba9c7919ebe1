/* Galleries of cases can be sorted and filtered; without this script they stand as the run wrote them. */
(() => {
  "use strict";

  function choice(words, options, changed) {
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.append(...options.map((text, i) => new Option(text, String(i - 1))));
    select.addEventListener("change", changed);
    label.append(`${words} `, select);
    return { label, value: () => Number(select.value) };
  }

  function sortable(gallery) {
    const list = gallery.querySelector("ol");
    const cases = [...list.children].map((item, place) => ({
      item,
      place,
      kind: item.dataset.kind,
      values: JSON.parse(item.dataset.values),
    }));
    const keys = JSON.parse(gallery.dataset.keys);
    const kinds = [...new Set(cases.map((one) => one.kind))];
    const told = document.createElement("span");
    told.setAttribute("role", "status");
    const turn = document.createElement("button");
    turn.type = "button";
    let down = true;

    const show = () => {
      const key = by.value();
      const kind = kinds[only.value()];
      const sign = down ? -1 : 1;
      const order = [...cases].sort(
        (a, b) => (key < 0 ? 0 : rank(a.values[key], b.values[key], sign)) || a.place - b.place,
      );
      list.append(...order.map((one) => one.item));
      for (const one of cases) one.item.hidden = kind !== undefined && one.kind !== kind;
      const n = cases.filter((one) => !one.item.hidden).length;
      turn.textContent = down ? "highest first" : "lowest first";
      turn.disabled = key < 0;
      told.textContent = `${n} of ${cases.length} shown`;
    };
    // Cases without a value stand last, whichever way the others are sorted.
    const rank = (a, b, sign) =>
      a === null || b === null ? (a === null) - (b === null) : sign * (a - b);

    const by = choice("Sort by", ["as listed", ...keys], show);
    const only = choice("Show", ["all", ...kinds], show);
    turn.addEventListener("click", () => {
      down = !down;
      show();
    });
    const bar = document.createElement("div");
    bar.className = "case-gallery-bar";
    bar.append(by.label, turn, only.label, told);
    list.before(bar);
    show();
  }

  const start = () => document.querySelectorAll(".case-gallery").forEach(sortable);
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
