// What happens, as it happens: the newest first. Each has its number, so that a gap would be seen.

import { h } from "./dom.js";
import { clock, local } from "./format.js";

const SHOWN = 200;

export class Events {
  constructor(nameOf = () => "") {
    this.nameOf = nameOf;
    this.list = h("div", { class: "events", id: "events" });
    this.none = h("span", { class: "dim" }, "Nothing since this page was opened.");
    this.element = h("div", { class: "card" }, this.none, this.list);
    this.count = 0;
  }

  take(event) {
    const name = event.sheet_num ? `${event.sheet_num} ${this.nameOf(event.sheet_num)} ` : "";
    const why = event.data.message || event.data.error || event.data.reason || "";
    this.list.prepend(h("div", { "data-seq": event.seq }, h("span", { class: "dim" }, `${clock(event.ts)} `), name, event.event,
      h("span", { class: "dim" }, why ? ` ${typeof why === "string" ? local(why) : JSON.stringify(why)}` : "")));
    this.none.hidden = true;
    this.count += 1;
    this.list.dataset.count = this.count;
    while (this.list.childElementCount > SHOWN) this.list.lastElementChild.remove();
  }
}
