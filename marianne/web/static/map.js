// All sheets of a job, a square each. Only what has changed is drawn again.

import { colour, fill, h } from "./dom.js";
import { LETTERS } from "./format.js";

const KINDS = Object.keys(LETTERS);

export class SheetMap {
  constructor(open, nameOf) {
    this.states = new Uint8Array(0);
    this.canvas = h("canvas", { id: "map", "aria-label": "all sheets by state" });
    this.box = h("div", { class: "map" }, this.canvas);
    this.legend = h("p", { class: "legend" });
    this.hover = h("p", { class: "legend", id: "hover" });
    this.element = h("div", {}, this.legend, this.box, this.hover);
    this.canvas.addEventListener("click", (event) => { const num = this.at(event); if (num) open(num); });
    this.canvas.addEventListener("mousemove", (event) => {
      const num = this.at(event);
      this.hover.textContent = num ? `${num} ${nameOf(num)} · ${LETTERS[this.letter(num)]}` : "";
    });
    addEventListener("resize", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  letter(num) {
    return String.fromCharCode(this.states[num - 1]);
  }

  take(told) {
    if (told.all !== undefined) {
      this.states = new TextEncoder().encode(told.all);
      this.draw();
      return;
    }
    const before = this.states.length;
    for (const [first, letters] of told.runs) {
      if (first + letters.length > this.states.length) {
        const longer = new Uint8Array(first + letters.length);
        longer.set(this.states);
        this.states = longer;
      }
      for (let i = 0; i < letters.length; i += 1) this.states[first + i] = letters.charCodeAt(i);
    }
    if (before !== this.states.length) this.draw();
    else {
      const [context, colours] = this.pen();
      for (const [first, letters] of told.runs) {
        for (let i = first; i < first + letters.length; i += 1) this.square(context, colours, i);
      }
      this.count();
    }
  }

  pen() {
    const context = this.canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const colours = new Map(KINDS.map((letter) => [letter.charCodeAt(0), colour(letter)]));
    return [context, colours];
  }

  draw() {
    const total = this.states.length;
    const width = Math.max(200, this.box.clientWidth - 30);
    this.step = total <= 400 ? 16 : total <= 3000 ? 9 : total <= 20000 ? 6 : 4;
    this.columns = Math.max(1, Math.floor(width / this.step));
    const height = Math.max(1, Math.ceil(total / this.columns)) * this.step;
    // Browsers have a limit to how high a canvas may be.
    this.ratio = Math.min(devicePixelRatio || 1, 30000 / height);
    this.canvas.width = this.columns * this.step * this.ratio;
    this.canvas.height = height * this.ratio;
    this.canvas.style.width = `${this.columns * this.step}px`;
    this.canvas.style.height = `${height}px`;
    const [context, colours] = this.pen();
    // By colour: to set one costs more than to fill a square.
    for (const [code, value] of colours) {
      context.fillStyle = value;
      for (let i = 0; i < total; i += 1) if (this.states[i] === code) this.rect(context, i);
    }
    this.count();
    this.canvas.dataset.drawn = total;
  }

  square(context, colours, index) {
    context.clearRect((index % this.columns) * this.step, Math.floor(index / this.columns) * this.step, this.step, this.step);
    context.fillStyle = colours.get(this.states[index]);
    this.rect(context, index);
  }

  rect(context, index) {
    const gap = this.step > 4 ? 1.5 : 0.7;
    context.fillRect((index % this.columns) * this.step, Math.floor(index / this.columns) * this.step, this.step - gap, this.step - gap);
  }

  counts(first = 1, last = this.states.length) {
    const found = Object.fromEntries(KINDS.map((letter) => [letter, 0]));
    const codes = new Uint32Array(128);
    for (let i = first - 1; i < last; i += 1) codes[this.states[i]] += 1;
    for (const letter of KINDS) found[letter] = codes[letter.charCodeAt(0)];
    return found;
  }

  count() {
    const counts = this.counts();
    fill(this.legend, ...KINDS.filter((letter) => counts[letter]).map((letter) => h("span", {},
      h("span", { class: `swatch ${letter}` }), `${counts[letter]} ${LETTERS[letter]}\u2003`)));
  }

  at(event) {
    const column = Math.floor(event.offsetX / this.step);
    const num = Math.floor(event.offsetY / this.step) * this.columns + column + 1;
    return column < this.columns && num <= this.states.length && num > 0 ? num : null;
  }
}
