// What the conductor refuses, in its words.

import { fill, h } from "./dom.js";

export function problemCard() {
  const element = h("div", { id: "problem" });
  return { element, take: (problem) => { fill(element, problem ? card(problem) : null); } };
}

export function card(problem) {
  return h("div", { class: "card problem", role: "alert" }, problem.message || String(problem),
    problem.hint ? h("div", { class: "dim" }, problem.hint) : null);
}
