/* A box that scrolls can be reached by keyboard, and says what it holds; a link to what is folded unfolds it. */
(() => {
  "use strict";

  const BOXES = [
    ".pst-scrollable-table-container",
    ".bd-article div.cell_output",
    ".bd-article div.highlight pre",
    ".bd-article mjx-container[display]",
    ".bd-article div.math",
  ].join(", ");

  function nameOf(box) {
    const caption = box.querySelector("caption, figcaption");
    if (caption) return caption.textContent.replace(/#\s*$/, "").trim();
    if (box.querySelector("table")) return "Table";
    return box.matches("pre") ? "Code" : box.matches("div.cell_output") ? "Output" : "Formula";
  }

  function mark() {
    for (const box of document.querySelectorAll(BOXES)) {
      const scrolls = box.scrollWidth > box.clientWidth + 1;
      if (scrolls && !box.dataset.scrolls) {
        box.dataset.scrolls = "yes";
        box.tabIndex = 0;
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", nameOf(box));
      } else if (!scrolls && box.dataset.scrolls) {
        delete box.dataset.scrolls;
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
      }
    }
  }

  function unfold() {
    const part = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = [];
    for (let box = part?.closest("details:not([open])"); box; box = box.parentElement.closest("details:not([open])")) {
      folded.push(box);
    }
    for (const box of folded) box.open = true;
    if (folded.length) part.scrollIntoView();
  }
  addEventListener("load", unfold);
  addEventListener("hashchange", unfold);

  let asked = 0;
  const later = () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(mark);
  };
  addEventListener("load", later);
  addEventListener("resize", later);
  document.addEventListener("toggle", later, true);
})();
