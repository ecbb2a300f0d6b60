// What keeps a page from showing more: that no conductor runs, or what the conductor refuses, in its words.

import { AWAY, fill, h } from "./dom.js";

// While nothing was told yet, this is all that is shown: a box of nothing says nothing.
export function problemCard() {
  const element = h("div", { id: "problem" });
  let problem = null, presence = null, told = false;
  const draw = () => {
    document.body.classList.toggle("untold", !told);
    const absence = presence && absent(presence, told);
    const shown = problem && !(absence && AWAY.includes(problem.code)) ? card(problem) : null;
    fill(element, absence, shown);
  };
  draw();
  return {
    element,
    take: (given) => { problem = given; draw(); },
    conductor: (given) => { presence = given; draw(); },
    told: () => { if (!told) { told = true; draw(); } },
  };
}

function absent({ state, home }, told) {
  if (state === "there" || (state === "away" && told)) return null;
  const last = told ? " What is below is the last that it said." : "";
  return state === "none"
    ? card({ message: `No conductor runs for ${home}.${last}`, hint: "Start it with: marianne start. This page goes on by itself as soon as it runs." })
    : card({ message: `The conductor of ${home} is starting.`, hint: "This page goes on by itself as soon as it answers." });
}

export function card(problem) {
  return h("div", { class: "card problem", role: "alert" }, problem.message || String(problem),
    problem.hint ? h("div", { class: "dim" }, problem.hint) : null);
}
