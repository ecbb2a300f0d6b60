// How far a job is, as a bar.

import { svg } from "./dom.js";

const ORDER = [["completed", "c"], ["skipped", "s"], ["failed", "f"], ["cancelled", "x"], ["running", "r"]];

export function bar(progress) {
  const element = svg("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img" });
  let at = 0;
  for (const [name, letter] of ORDER) {
    const width = progress.total ? (100 * progress[name]) / progress.total : 0;
    if (width) element.append(svg("rect", { x: at, y: 0, width, height: 8, class: letter }));
    at += width;
  }
  return element;
}
