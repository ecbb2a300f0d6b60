// The attempts of a job over its time: each in a lane of its slot, or of very many how many ran; with
// memory and cost over the same time. A part of the time is chosen with the mouse.

import { colour, h } from "./dom.js";
import { clock, money, seconds } from "./format.js";

const OUTCOMES = { c: "completed", f: "failed", s: "skipped", i: "interrupted", r: "running" };
const COLOURS = { c: "c", f: "f", s: "s", i: "w", r: "r" };
const HIGH = 14, LANES_HIGH = 420, SUMS_HIGH = 160, CHART = 60, AXIS = 18, LEFT = 8, DRAGGED = 6;

export class Timeline {
  constructor(open, name, choose) {
    this.name = name;
    this.choose = choose;
    this.canvas = h("canvas", { id: "timeline", "aria-label": "attempts by slot" });
    this.words = h("p", { class: "legend", id: "timeline-words" });
    this.all = h("button", { id: "timeline-all", onclick: () => this.zoom(null) }, "all of the time");
    this.element = h("div", {}, h("div", { class: "map" }, this.canvas), h("div", { class: "row" }, this.all, this.words));
    this.all.hidden = true;
    this.range = null;
    this.bars = [];
    this.from = null;
    this.canvas.addEventListener("mousedown", (event) => { this.from = event.offsetX; });
    this.canvas.addEventListener("mousemove", (event) => {
      if (this.from !== null && event.buttons) this.draw(event.offsetX);
      this.words.textContent = this.told && this.under(event) || this.summary;
    });
    this.canvas.addEventListener("mouseleave", () => { this.from = null; this.draw(); this.words.textContent = this.summary; });
    this.canvas.addEventListener("mouseup", (event) => {
      const { from } = this;
      this.from = null;
      if (from === null || !this.told) return;
      if (Math.abs(event.offsetX - from) > DRAGGED) this.zoom([from, event.offsetX].sort((a, b) => a - b).map((x) => this.time(x)));
      else { const bar = this.at(event); if (bar) open(bar.one.sheet); }
    });
    addEventListener("resize", () => this.draw());
  }

  zoom(range) {
    this.range = range;
    this.all.hidden = range === null;
    this.choose();
  }

  // What the server is asked for.
  get asked() {
    return this.range ? { first: this.range[0].toFixed(3), last: this.range[1].toFixed(3) } : {};
  }

  take(told) {
    this.told = told;
    this.long = told.last - told.first;
    const attempts = (told.attempts || []).map(([sheet, attempt, letter, begin, end, memory, cost]) => ({ sheet, attempt, letter, begin, end, memory, cost }));
    const running = told.attempts ? told.running.map(([sheet, begin]) => ({ sheet, letter: "r", begin, end: this.long, memory: 0, cost: 0 })) : [];
    this.attempts = [...attempts, ...running].sort((a, b) => a.begin - b.begin);
    this.lanes = lanes(this.attempts);
    const { parts } = told;
    this.peak = parts ? Math.max(...parts.memory_mb) : this.attempts.reduce((most, one) => Math.max(most, one.memory), 0);
    this.cost = parts ? parts.cost_usd[parts.cost_usd.length - 1] : this.attempts.reduce((sum, one) => sum + one.cost, 0);
    this.summary = this.said();
    this.words.textContent = this.summary;
    this.draw();
  }

  said() {
    const { shown, total, running } = this.told;
    if (!total && !running.length) return "Nothing has begun yet.";
    const some = shown < total ? `${shown} of ${total} attempts` : `${total} attempt${total === 1 ? "" : "s"}`;
    const below = [this.peak ? "memory" : "", this.cost ? "what was spent so far" : ""].filter(Boolean).join(" and ");
    return [some + (running.length ? `, ${running.length} running` : ""), `in ${seconds(this.long)}`, this.peak ? `at most ${this.peak.toFixed(0)} MB each` : "",
      money({ cost_usd: this.cost })].filter(Boolean).join(", ")
      + `. Above: ${this.told.parts ? "how many ran" : "each in its slot"}${below ? `; below: ${below}` : ""}. Drag over a time to see it closer.`;
  }

  x(after) { return LEFT + (after / this.long) * (this.width - 2 * LEFT); }

  time(x) { return this.told.first + Math.min(1, Math.max(0, (x - LEFT) / (this.width - 2 * LEFT))) * this.long; }

  draw(to = null) {
    if (!this.told || !(this.told.shown || this.told.running.length)) { this.canvas.width = this.canvas.height = 0; return; }
    this.width = Math.max(200, this.element.clientWidth - 30);
    this.chart = this.peak || this.cost ? CHART : 6;
    this.lane = Math.max(2, Math.min(HIGH, LANES_HIGH / Math.max(1, this.lanes)));
    this.top = this.told.parts ? SUMS_HIGH : Math.min(this.lanes, Math.floor(LANES_HIGH / this.lane)) * this.lane;
    const context = this.sized(this.top + this.chart + AXIS + 8);
    if (this.told.parts) this.sums(context); else this.each(context);
    this.charts(context);
    this.axis(context);
    if (this.from !== null && to !== null) {
      context.fillStyle = "rgba(128, 128, 128, 0.3)";
      context.fillRect(Math.min(this.from, to), 0, Math.abs(to - this.from), this.top + this.chart);
    }
  }

  sized(height) {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = this.width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  each(context) {
    const colours = Object.fromEntries(Object.entries(COLOURS).map(([letter, name]) => [letter, colour(name)]));
    const gap = this.lane > 5 ? 3 : this.lane > 3 ? 1 : 0;
    this.bars = [];
    for (const one of this.attempts) {
      const left = Math.max(0, this.x(one.begin)), right = Math.min(this.width, this.x(one.end)), top = one.lane * this.lane;
      if (top >= this.top) continue;
      context.fillStyle = colours[one.letter];
      context.fillRect(left, top, Math.max(1, right - left - 0.5), this.lane - gap);
      this.bars.push({ left, right: Math.max(left + 1, right), top, one });
    }
  }

  // How many ran in each part of the time, by what became of them.
  sums(context) {
    const { busy } = this.told.parts, count = busy.c.length, step = this.long / count;
    const all = busy.c.map((_, part) => busy.c[part] + busy.f[part] + busy.i[part]);
    this.most = Math.max(...all, 0.001);
    all.forEach((_, part) => {
      let floor = this.top;
      for (const letter of ["c", "f", "i"]) {
        const high = (busy[letter][part] / this.most) * (this.top - 4);
        context.fillStyle = colour(COLOURS[letter]);
        context.fillRect(this.x(part * step), floor - high, this.x(step) - LEFT + 0.5, high);
        floor -= high;
      }
    });
  }

  charts(context) {
    const floor = this.top + this.chart, { parts } = this.told;
    const step = parts ? this.long / parts.memory_mb.length : 0;
    const memory = parts ? parts.memory_mb.map((one, part) => [(part + 0.5) * step, one]) : this.attempts.filter((one) => one.letter !== "r").map((one) => [one.end, one.memory]);
    context.fillStyle = colour("r");
    for (const [time, one] of memory) {
      const high = this.peak ? (one / this.peak) * (CHART - 12) : 0;
      context.fillRect(this.x(Math.min(this.long, time)) - 1, floor - high, 2, high);
    }
    if (!this.cost) return;
    let sum = 0;
    const spent = parts ? parts.cost_usd.map((one, part) => [(part + 1) * step, one])
      : [...this.attempts].filter((one) => one.letter !== "r").sort((a, b) => a.end - b.end).map((one) => { sum += one.cost; return [one.end, sum]; });
    context.strokeStyle = colour("w");
    context.lineWidth = 2;
    context.beginPath();
    for (const [time, one] of spent) context.lineTo(this.x(Math.min(this.long, time)), floor - (one / this.cost) * (CHART - 12));
    context.stroke();
  }

  axis(context) {
    const marks = Math.max(1, Math.min(6, Math.floor(this.width / 160))), floor = this.top + this.chart + 4;
    context.fillStyle = colour("dim");
    context.font = "11px system-ui, sans-serif";
    for (let mark = 0; mark <= marks; mark += 1) {
      const after = (this.long * mark) / marks;
      context.textAlign = mark === 0 ? "left" : mark === marks ? "right" : "center";
      context.fillRect(this.x(after), floor - 3, 1, 4);
      // By the clock; what takes a moment, from its begin.
      const words = this.long > 2 * marks ? clock(new Date((this.told.first + after) * 1000).toISOString()) : `+${seconds(after)}`;
      context.fillText(words, this.x(after), floor + 13);
    }
  }

  under(event) {
    const { parts } = this.told;
    if (!parts) {
      const one = this.at(event)?.one;
      return one && `${this.name(one.sheet) || one.sheet}${one.attempt ? `, attempt ${one.attempt}` : ""}: ${OUTCOMES[one.letter]}, `
        + `${clock(new Date((this.told.first + one.begin) * 1000).toISOString())}, ${seconds(one.end - one.begin)}${one.memory ? `, ${one.memory.toFixed(0)} MB` : ""}${one.cost ? `, ${money({ cost_usd: one.cost })}` : ""}`;
    }
    const part = Math.floor(((this.time(event.offsetX) - this.told.first) / this.long) * parts.ended.length);
    if (!(part >= 0 && part < parts.ended.length)) return "";
    const ran = parts.busy.c[part] + parts.busy.f[part] + parts.busy.i[part];
    return `${clock(new Date(this.time(event.offsetX) * 1000).toISOString())}: ${ran.toFixed(1)} ran, ${parts.ended[part]} ended`
      + (parts.memory_mb[part] ? `, at most ${parts.memory_mb[part].toFixed(0)} MB` : "") + (this.cost ? `, ${money({ cost_usd: parts.cost_usd[part] })} so far` : "");
  }

  at(event) {
    return this.bars.find((bar) => event.offsetX >= bar.left - 1 && event.offsetX <= bar.right + 1
      && event.offsetY >= bar.top && event.offsetY < bar.top + this.lane);
  }
}

// Gives each the first lane that is free when it begins; how many there are.
function lanes(attempts) {
  const ends = [];
  for (const one of attempts) {
    let lane = ends.findIndex((end) => end <= one.begin);
    if (lane < 0) lane = ends.length;
    ends[lane] = one.end;
    one.lane = lane;
  }
  return ends.length;
}
