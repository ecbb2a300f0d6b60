// The attempts of a job by the slots that they took, with memory and cost over the same time.

import { colour, h } from "./dom.js";
import { clock, money, seconds } from "./format.js";

const OUTCOMES = { completed: "c", failed: "f", skipped: "s", interrupted: "w" };
const LANE = 14, LANES = 40, CHART = 60, LEFT = 8;

export class Timeline {
  constructor(open) {
    this.canvas = h("canvas", { id: "timeline", "aria-label": "attempts by slot" });
    this.words = h("p", { class: "legend" });
    this.element = h("div", {}, h("div", { class: "map" }, this.canvas), this.words);
    this.bars = [];
    this.canvas.addEventListener("mousemove", (event) => {
      const one = this.at(event);
      this.words.textContent = one ? `${one.name || one.sheet}, attempt ${one.attempt}: ${one.outcome}, `
        + `${clock(one.started_at)}, ${seconds(one.duration_seconds)}, ${one.peak_memory_mb.toFixed(0)} MB` : this.summary;
    });
    this.canvas.addEventListener("click", (event) => { const one = this.at(event); if (one) open(one.sheet); });
    addEventListener("resize", () => this.draw());
  }

  take(attempts) {
    this.attempts = attempts.filter((one) => one.started_at).map((one) => ({
      ...one, begin: Date.parse(one.started_at), end: Date.parse(one.finished_at),
    })).sort((a, b) => a.begin - b.begin);
    const ends = [];
    for (const one of this.attempts) {
      let lane = ends.findIndex((end) => end <= one.begin);
      if (lane < 0) lane = ends.length;
      ends[lane] = one.end;
      one.lane = lane;
    }
    this.lanes = Math.min(LANES, ends.length);
    const cost = this.attempts.reduce((sum, one) => sum + (one.usage.cost_usd || 0), 0);
    const peak = this.attempts.reduce((most, one) => Math.max(most, one.peak_memory_mb), 0);
    this.summary = this.attempts.length ? `${this.attempts.length} attempts${attempts.length >= 1000 ? " (the last)" : ""}, `
      + `at most ${peak.toFixed(0)} MB${cost ? `, ${money({ cost_usd: cost })}` : ""}; below: memory of each attempt${cost ? " and costs so far" : ""}` : "Nothing has ended yet.";
    this.words.textContent = this.summary;
    this.peak = peak;
    this.cost = cost;
    this.draw();
  }

  draw() {
    if (!this.attempts || !this.attempts.length) { this.canvas.width = this.canvas.height = 0; return; }
    const width = Math.max(200, this.element.clientWidth - 30), height = this.lanes * LANE + CHART + 8;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const from = this.attempts[0].begin;
    const to = this.attempts.reduce((most, one) => Math.max(most, one.end), from + 1);
    const x = (time) => LEFT + ((time - from) / (to - from)) * (width - 2 * LEFT);
    const colours = Object.fromEntries(Object.entries(OUTCOMES).map(([name, letter]) => [name, colour(letter)]));
    this.bars = [];
    for (const one of this.attempts) {
      if (one.lane >= LANES) continue;
      const bar = { left: x(one.begin), right: Math.max(x(one.begin) + 1, x(one.end)), top: one.lane * LANE, one };
      context.fillStyle = colours[one.outcome] || colour("p");
      context.fillRect(bar.left, bar.top, Math.max(1, bar.right - bar.left - 0.5), LANE - 3);
      this.bars.push(bar);
    }
    this.charts(context, x, height, colours);
  }

  charts(context, x, height) {
    const floor = height - 4;
    context.fillStyle = colour("r");
    for (const one of this.attempts) {
      const high = this.peak ? (one.peak_memory_mb / this.peak) * (CHART - 8) : 0;
      context.fillRect(x(one.end) - 1, floor - high, 2, high);
    }
    if (!this.cost) return;
    context.strokeStyle = colour("w");
    context.beginPath();
    let sum = 0;
    for (const one of [...this.attempts].sort((a, b) => a.end - b.end)) {
      sum += one.usage.cost_usd || 0;
      context.lineTo(x(one.end), floor - (sum / this.cost) * (CHART - 8));
    }
    context.stroke();
  }

  at(event) {
    return this.bars.find((bar) => event.offsetX >= bar.left - 1 && event.offsetX <= bar.right + 1
      && event.offsetY >= bar.top && event.offsetY < bar.top + LANE)?.one;
  }
}
