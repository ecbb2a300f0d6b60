// What a sheet wrote: a window of it, which follows the end while the sheet runs.

import { Ansi } from "./ansi.js";
import { fill, h } from "./dom.js";
import { bytes } from "./format.js";
import { ask, path } from "./live.js";
import { card } from "./problem.js";

const WINDOW = 65536, KEPT = 6, QUICK = 300, SLOW = 2000;

export class OutputView {
  constructor(job, sheet) {
    this.job = job;
    this.sheet = sheet;
    this.stream = "out";
    this.attempt = null;
    this.text = h("pre", { id: "output" });
    this.box = h("div", { class: "output", tabindex: 0 }, this.text);
    this.where = h("span", { class: "dim", id: "where" });
    this.follow = h("input", { type: "checkbox", id: "follow", checked: true });
    this.search = h("input", { type: "search", id: "search", placeholder: "find in all of it" });
    this.search.addEventListener("keydown", (event) => { if (event.key === "Enter") this.find(); });
    this.streams = h("div", { class: "row" }, ...[["out", "output"], ["err", "errors"], ["prompt", "command or prompt"]].map(([stream, name]) =>
      h("button", { id: `stream-${stream}`, onclick: () => this.show(stream, this.attempt) }, name)));
    this.download = h("a", { download: "" }, "download");
    this.earlier = h("button", { id: "earlier", onclick: () => this.before() }, "earlier");
    this.element = h("div", {}, h("div", { class: "row" }, this.streams, h("label", {}, this.follow, " follow"), this.search, this.earlier, this.download, this.where), this.box);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.soon(0); });
  }

  parameters(more = {}) {
    const told = { stream: this.stream, ...more };
    if (this.attempt) told.attempt = this.attempt;
    return told;
  }

  show(stream, attempt) {
    this.stream = stream;
    this.attempt = attempt;
    this.turn = (this.turn || 0) + 1;
    for (const name of ["out", "err", "prompt"]) this.streams.querySelector(`#stream-${name}`).classList.toggle("on", name === stream);
    const query = new URLSearchParams(this.parameters());
    this.download.href = path(this.job, "sheets", this.sheet, `download?${query}`);
    this.from(stream === "prompt" ? 0 : -WINDOW);
  }

  async from(offset) {
    const { turn } = this;
    this.begin = this.end = null;
    fill(this.text);
    await this.piece(offset, turn);
  }

  // One piece after what is shown; asks again while more may come.
  async piece(offset, turn) {
    if (turn !== this.turn) return;
    let more = false, grew = false;
    try {
      const query = new URLSearchParams(this.parameters({ offset, limit: WINDOW }));
      const answer = await fetch(path(this.job, "sheets", this.sheet, `output?${query}`));
      if (!answer.ok) throw (await answer.json()).error;
      const data = new Uint8Array(await answer.arrayBuffer());
      if (turn !== this.turn) return;
      const told = (name) => answer.headers.get(`x-${name}`);
      if (this.begin === null) this.start(Number(told("offset")));
      grew = data.length > 0;
      if (grew) this.add(data);
      this.end = Number(told("next-offset"));
      this.size = Number(told("size"));
      this.ended = told("ended") === "true";
      more = !this.ended || this.end < this.size;
      this.say();
    } catch (error) {
      if (turn !== this.turn) return;
      if (error.code === "not_found") { fill(this.text, h("span", { class: "dim" }, error.message)); return; }
      if (error.code !== "conflict") fill(this.where, card(error)); else fill(this.text, h("span", { class: "dim" }, error.message));
      more = true;
    }
    if (more && this.follow.checked) this.soon(grew ? QUICK : Math.min(SLOW, (this.pause || QUICK) * 1.5));
  }

  soon(pause) {
    clearTimeout(this.timer);
    this.pause = pause;
    const { turn } = this;
    this.timer = setTimeout(() => { if (!document.hidden) this.piece(this.end ?? -WINDOW, turn); }, pause);
  }

  start(offset) {
    this.begin = offset;
    this.ansi = new Ansi();
    this.decoder = new TextDecoder();
    fill(this.text);
  }

  add(data) {
    const low = this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - 40;
    const piece = h("span", { "data-size": data.length });
    piece.append(this.ansi.render(this.decoder.decode(data, { stream: true })));
    this.text.append(piece);
    while (this.text.childElementCount > KEPT) {
      this.begin += Number(this.text.firstElementChild.dataset.size);
      this.text.firstElementChild.remove();
    }
    if (low && this.follow.checked) this.box.scrollTop = this.box.scrollHeight;
  }

  say() {
    this.where.textContent = this.size ? `${bytes(this.begin)} to ${bytes(this.end)} of ${bytes(this.size)}${this.ended ? "" : ", growing"}` : this.ended ? "it wrote nothing" : "nothing yet";
    this.earlier.disabled = !this.begin;
    this.where.dataset.size = this.size;
  }

  before() {
    this.follow.checked = false;
    this.turn += 1;
    this.from(Math.max(0, this.begin - WINDOW));
  }

  async find() {
    const text = this.search.value;
    if (!text) return;
    let offset = this.searched === text && this.found !== null ? this.found + 1 : 0;
    this.searched = text;
    while (offset !== null) {
      this.where.textContent = `looking from ${bytes(offset)} on`;
      const told = await ask(path(this.job, "sheets", this.sheet, "search"), this.parameters({ q: text, offset }));
      if (told.found !== null) { await this.reveal(text, told.found); return; }
      offset = told.next;
    }
    this.found = null;
    this.where.textContent = "it stands nowhere (any more)";
  }

  async reveal(text, offset) {
    this.found = offset;
    this.follow.checked = false;
    this.turn += 1;
    await this.from(Math.max(0, offset - 2048));
    const walk = document.createTreeWalker(this.text, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const at = node.data.indexOf(text);
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + text.length);
      const mark = h("mark");
      range.surroundContents(mark);
      mark.scrollIntoView({ block: "center" });
      break;
    }
  }
}
