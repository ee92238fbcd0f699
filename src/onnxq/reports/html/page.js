"use strict";
// Search and filter: whatever has data-find is shown if it holds all words, and computes in what was chosen.
const search = document.getElementById("search"), kind = document.getElementById("kind"), found = document.getElementById("found");
const items = [...document.querySelectorAll("[data-find]")].map((item) => ({ item, text: item.textContent.toLowerCase() }));

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { item, text } of items) {
    const wrong = kind.value && (item.dataset.kind ?? kind.value) !== kind.value;
    item.hidden = Boolean(wrong) || !words.every((word) => text.includes(word));
    shown += !item.hidden;
  }
  found.textContent = words.length || kind.value ? `${shown} of ${items.length} shown` : "";
}

search.addEventListener("input", filter);
kind.addEventListener("change", filter);
filter();

// The picture of the graph scrolls in its box; a zoom changes its width, and its middle stays where it is.
const graph = document.querySelector(".graph"), canvas = document.querySelector(".canvas");
if (graph) {
  const full = graph.viewBox.baseVal.width, tall = graph.viewBox.baseVal.height;
  const zoom = (scale) => {
    const before = graph.clientWidth || full;
    const middle = [canvas.scrollLeft + canvas.clientWidth / 2, canvas.scrollTop + canvas.clientHeight / 2];
    graph.setAttribute("width", full * scale);
    graph.setAttribute("height", tall * scale);
    const grown = (full * scale) / before;
    canvas.scrollLeft = middle[0] * grown - canvas.clientWidth / 2;
    canvas.scrollTop = middle[1] * grown - canvas.clientHeight / 2;
  };
  const fit = () => zoom(Math.min(1, (canvas.clientWidth - 2) / full));
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      const how = button.dataset.zoom;
      if (how === "fit") fit();
      else if (how === "1:1") zoom(1);
      else zoom(Math.min(4, Math.max(0.05, (graph.clientWidth / full) * Number(how))));
    });
  }
  fit();
  canvas.scrollTop = 0;
}
// A link into the table must not lead to a line that the filter hides.
addEventListener("hashchange", () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.hidden) {
    search.value = kind.value = "";
    filter();
    target.scrollIntoView();
  }
});
