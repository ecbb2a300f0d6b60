// What comes after what: the entries of the score in layers, each fan-out one box.

import { fill, h, svg } from "./dom.js";
import { LETTERS } from "./format.js";

const WIDE = 190, HIGH = 52, BOX = 150, TALL = 38, EDGE = 12;
const MOST_LINES = 5000;

export class Graph {
  constructor(map, open) {
    this.map = map;
    this.open = open;
    this.element = h("div", { class: "graph", id: "graph" });
    this.boxes = [];
  }

  take(plan) {
    const width = plan.layers * WIDE + EDGE, height = plan.rows * HIGH + EDGE;
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    const at = new Map(plan.nodes.map((node) => [node.entry, [EDGE + node.layer * WIDE, EDGE + node.row * HIGH]]));
    let lines = 0;
    for (const node of plan.nodes) {
      for (const need of node.needs) {
        if (!at.has(need) || lines >= MOST_LINES) continue;
        lines += 1;
        picture.append(line(at.get(need), at.get(node.entry)));
      }
    }
    this.boxes = plan.nodes.map((node) => this.box(picture, node, at.get(node.entry)));
    const more = plan.more ? h("p", { class: "dim" }, `${plan.more} more entries are not drawn.`) : null;
    fill(this.element, picture, more);
    this.update();
  }

  box(picture, node, [x, y]) {
    const count = node.sheets.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    const link = svg("a", { tabindex: 0, role: "link" });
    const name = node.name.length > 21 ? `${node.name.slice(0, 20)}…` : node.name;
    const words = svg("text", { x: x + 7, y: y + 15 });
    words.append(name);
    const told = svg("text", { x: x + 7, y: y + 28, class: "count" });
    const bars = Object.keys(LETTERS).map((letter) => svg("rect", { x, y: y + TALL - 5, width: 0, height: 5, class: letter }));
    const title = svg("title");
    title.append(node.name);
    link.append(title, svg("rect", { class: "box", x, y, width: BOX, height: TALL, rx: 4 }), words, told, ...bars);
    const go = () => this.open(node);
    link.addEventListener("click", go);
    link.addEventListener("keydown", (event) => { if (event.key === "Enter") go(); });
    picture.append(link);
    return { node, count, told, bars, x, before: "" };
  }

  // How each entry stands, by the map of all sheets.
  update() {
    for (const box of this.boxes) {
      const counts = {};
      for (const [first, last] of box.node.sheets) {
        for (const [letter, number] of Object.entries(this.map.counts(first, last))) counts[letter] = (counts[letter] || 0) + number;
      }
      const now = JSON.stringify(counts);
      if (now === box.before) continue;
      box.before = now;
      const open = counts.r + counts.w + counts.p;
      box.told.textContent = box.count === 1 ? LETTERS[Object.keys(counts).find((letter) => counts[letter])] || ""
        : `${box.count} sheets${open && open < box.count ? `, ${open} open` : ""}${counts.f ? `, ${counts.f} failed` : ""}`;
      let at = box.x;
      Object.keys(LETTERS).forEach((letter, index) => {
        const width = (BOX * (counts[letter] || 0)) / box.count;
        box.bars[index].setAttribute("x", at);
        box.bars[index].setAttribute("width", width);
        at += width;
      });
    }
  }
}

function line([fromX, fromY], [toX, toY]) {
  const x = fromX + BOX, y = fromY + TALL / 2, end = toY + TALL / 2, half = (x + toX) / 2;
  return svg("path", { d: `M${x} ${y}C${half} ${y} ${half} ${end} ${toX} ${end}` });
}
