// The sheets of a job as a table: as many rows as are seen, however many sheets there are.

import { fill, h, seldom } from "./dom.js";
import { LETTERS, clock, seconds, sheetAtWork } from "./format.js";
import { ask, path, sheetLink } from "./live.js";

const HIGH = 30, SPARE = 10, ROWS = 100;
// Browsers show no element that is higher than some 30 million pixels.
const HIGHEST = 20000000;

export class Sheets {
  constructor(job, map) {
    this.job = job;
    this.map = map;
    this.names = new Map();
    this.rows = new Map();
    this.chosen = "";
    this.entry = null;
    this.select = h("select", { id: "only", onchange: () => { this.chosen = this.select.value; this.filter(); } },
      h("option", { value: "" }, "all sheets"), ...Object.entries(LETTERS).map(([letter, name]) => h("option", { value: letter }, name)));
    this.jump = h("input", { type: "number", min: 1, placeholder: "number", "aria-label": "go to a sheet", onchange: () => this.go(Number(this.jump.value)) });
    this.which = h("span", { class: "dim" });
    this.body = h("tbody");
    this.table = h("table", {}, h("thead", {}, h("tr", {}, ...["", "sheet", "status", "attempt", "took", "what kept it"].map((name) => h("th", { class: name === "attempt" ? "narrow" : null }, name)))), this.body);
    this.above = h("div");
    this.below = h("div");
    this.box = h("div", { class: "output", id: "sheets" }, this.above, this.table, this.below);
    this.element = h("div", {}, h("div", { class: "row" }, this.select, this.jump, this.which), this.box);
    this.box.addEventListener("scroll", () => this.draw());
    this.details = seldom(400, () => this.fetchRows());
    this.nums = null;
  }

  only(node) {
    this.entry = node;
    this.filter();
  }

  name(num) {
    return this.names.get(num) || "";
  }

  // All names, in as few answers as hold them; again when the plan has changed.
  async named() {
    const last = this.map.states.length;
    for (let first = 1; first <= last;) {
      const told = await ask(path(this.job, "names"), { first, last });
      if (!told.names.length) break;
      told.names.forEach((name, index) => this.names.set(first + index, name));
      first += told.names.length;
      this.draw();
    }
  }

  filter() {
    const { states } = this.map;
    const inside = this.entry ? this.entry.sheets : [[1, states.length]];
    const code = this.chosen ? this.chosen.charCodeAt(0) : null;
    if (!code && !this.entry) this.nums = null;
    else {
      this.nums = [];
      for (const [first, last] of inside) {
        for (let num = first; num <= last; num += 1) if (!code || states[num - 1] === code) this.nums.push(num);
      }
    }
    fill(this.which, this.entry ? h("button", { onclick: () => this.only(null) }, `only ${this.entry.name} ✕`) : null);
    this.draw();
  }

  get total() {
    return this.nums ? this.nums.length : this.map.states.length;
  }

  num(index) {
    return this.nums ? this.nums[index] : index + 1;
  }

  go(num) {
    if (!(num >= 1 && num <= this.map.states.length)) return;
    this.chosen = this.select.value = "";
    this.entry = null;
    this.filter();
    this.box.scrollTop = (num - 1) * this.scale;
  }

  draw() {
    const { total } = this;
    this.scale = Math.min(HIGH, HIGHEST / Math.max(1, total));
    const shown = Math.ceil(this.box.clientHeight / HIGH) + 2 * SPARE;
    const first = Math.max(0, Math.min(Math.floor(this.box.scrollTop / this.scale) - SPARE, total - shown));
    const last = Math.min(total, first + shown);
    this.above.style.height = `${first * this.scale}px`;
    this.below.style.height = `${(total - last) * this.scale}px`;
    this.visible = [];
    for (let index = first; index < last; index += 1) this.visible.push(this.num(index));
    fill(this.body, ...this.visible.map((num) => this.row(num)));
    if (!total) fill(this.body, h("tr", {}, h("td", { class: "dim" }, "none")));
    this.details();
  }

  // Since when what runs stands still: its times do, too, and go on from there.
  stands(still) {
    if (still === this.still) return;
    this.still = still;
    this.rows.clear();
    this.draw();
  }

  row(num) {
    const letter = this.map.letter(num), status = LETTERS[letter] || "";
    const known = this.rows.get(num);
    const row = known && known.letter === letter ? known.row : null;
    return h("tr", { "data-sheet": num },
      h("td", { class: "dim" }, String(num)),
      h("td", { class: "wide" }, h("a", { href: sheetLink(this.job, num) }, this.name(num) || row?.name || String(num))),
      h("td", {}, h("span", { class: `state ${status}` }, status)),
      h("td", { class: "narrow" }, row ? String(row.attempt || "") : ""),
      h("td", { class: "short", title: clock(row?.started_at) }, seconds(row ? sheetAtWork(row, this.still) : null)),
      h("td", { class: "wide dim" }, row?.error?.message || ""));
  }

  // The details of what is seen and has changed, as one range.
  async fetchRows() {
    const unknown = this.visible.filter((num) => this.rows.get(num)?.letter !== this.map.letter(num));
    if (!unknown.length) return;
    const first = unknown[0], last = Math.min(unknown[unknown.length - 1], first + ROWS - 1);
    const told = await ask(path(this.job, "rows"), { first, last }).catch(() => ({ sheets: [] }));
    if (this.rows.size > 5000) this.rows.clear();
    for (const row of told.sheets) this.rows.set(row.num, { row, letter: this.map.letter(row.num) });
    fill(this.body, ...this.visible.map((num) => this.row(num)));
    if (told.sheets.length && this.visible.some((num) => num > last && this.rows.get(num)?.letter !== this.map.letter(num))) this.details();
  }
}
