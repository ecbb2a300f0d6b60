// One job: how it stands and why, what comes after what, every sheet, every attempt.

import { Actions } from "./actions.js";
import { bar } from "./bar.js";
import { fill, h, section, seldom } from "./dom.js";
import { Events } from "./events.js";
import { clock, done, left, local, money, over, took } from "./format.js";
import { Graph } from "./graph.js";
import { Live, ask, path, sheetLink } from "./live.js";
import { SheetMap } from "./map.js";
import { see } from "./overview.js";
import { problemCard } from "./problem.js";
import { Sheets } from "./sheets.js";
import { Timeline } from "./timeline.js";

const WHY_SECONDS = 10, SHARED_SECONDS = 6;

export function jobPage(page, session, id) {
  document.title = `${id} · Marianne`;
  const open = (num) => { location.href = sheetLink(id, num); };
  const problem = problemCard(), head = h("div", { class: "card" }), why = h("div", { id: "why" });
  const actions = new Actions(session);
  const map = new SheetMap(open, (num) => sheets.name(num));
  const sheets = new Sheets(id, map);
  const graph = new Graph(map, (node) => {
    if (node.sheets.length === 1 && node.sheets[0][0] === node.sheets[0][1]) open(node.sheets[0][0]);
    else { sheets.only(node); sheets.element.scrollIntoView({ behavior: "smooth" }); }
  });
  const timeline = new Timeline(open, (num) => sheets.name(num), () => timed()), events = new Events((num) => sheets.names.get(num) || "");
  fill(page, problem.element, h("h1", {}, id), head, actions.element, why, section("Stages", graph.element),
    section("All sheets", map.element), sheets.element, section("Attempts by slot", timeline.element),
    section("What happens", events.element));

  let job = null;
  const plan = seldom(1000, async () => { await sheets.named(); graph.take(await ask(path(id, "plan"))); });
  const reasons = seldom(2000, async () => explain(why, job, await ask(path(id, "why"))));
  const timed = async () => {
    const { asked } = timeline, told = await ask(path(id, "timeline"), asked);
    if (asked.first === timeline.asked.first && asked.last === timeline.asked.last) timeline.take(told);
  };
  const attempts = seldom(6000, timed);
  const redraw = seldom(500, () => { graph.update(); sheets.nums ? sheets.filter() : sheets.draw(); });
  let begun = false;
  // The map first: of a large job all else takes the conductor longer.
  const begin = () => { if (!begun) { begun = true; requestAnimationFrame(() => { plan(); setTimeout(() => { reasons(); attempts(); }, map.states.length / 50); }); } };
  new Live({ view: "job", job: id }, {
    job: (told) => {
      const changed = !job || job.status !== told.status || job.reason !== told.reason;
      job = told;
      sheets.stands(told.still_since);
      fill(head, summary(job));
      actions.take(job);
      if (changed && begun) reasons();
      // What was answered to others may be some seconds old.
      if (changed && over(job.status)) setTimeout(() => { reasons(); attempts(); }, SHARED_SECONDS * 1000);
      if (job.status === "failed") see([job]);
    },
    map: (told) => { map.take(told); redraw(); if (begun) attempts(); else begin(); },
    log: (event) => {
      events.take(event);
      if (event.event === "sheet.listed" || event.event === "job.modified" || event.event === "job.resumed") plan();
    },
  }, problem);
  setInterval(() => { if (job && !over(job.status)) fill(head, summary(job)); }, 1000);
  setInterval(() => { if (job && !over(job.status) && !document.hidden) reasons(); }, WHY_SECONDS * 1000);
}

export function summary(job) {
  const facts = [
    [over(job.status) ? "took" : "at work for", took(job)], ["left", left(job)], ["cost", money(job.usage)], ["submitted", clock(job.submitted_at)],
    ["finished", clock(job.finished_at)], ["priority", job.priority === 5 ? "" : String(job.priority)], ["group", job.group || ""],
  ].filter(([, value]) => value);
  return [
    h("div", { class: "row" }, h("span", { class: `state ${job.status}`, id: "job-status" }, job.status + (job.reason ? ` (${job.reason})` : "")),
      bar(job.progress), h("span", {}, `${done(job.progress)} of ${job.progress.total} sheets`,
        job.progress.failed ? `, ${job.progress.failed} failed` : "", job.progress.running ? `, ${job.progress.running} running` : ""),
      ...facts.map(([name, value]) => h("span", { class: "dim" }, `${name} ${value}`))),
    h("div", { class: "dim mono" }, job.workspace, job.config_path ? ` · ${job.config_path}` : ""),
    job.error ? h("div", {}, job.error) : null,
  ];
}

function explain(element, job, told) {
  const { explained } = told;
  if (told.cause) {
    fill(element, h("div", { class: "card" }, told.cause, told.next ? h("div", { class: "dim" }, told.next) : null));
    return;
  }
  if (job && job.status === "completed") { fill(element); return; }
  // That their job does not run is said once.
  const own = explained.sheets.filter((one) => !one.text.endsWith(explained.text));
  const sheets = own.slice(0, 8).map((one) => h("li", {},
    h("a", { href: sheetLink(job.job_id, one.num) }, one.name), h("span", { class: "dim" }, ` ${local(one.text)}`)));
  const more = own.length ? own.length - sheets.length + explained.more : 0;
  fill(element, h("div", { class: "card" }, local(explained.text), sheets.length ? h("ul", {}, sheets) : null,
    more > 0 ? h("span", { class: "dim" }, `and ${more} more that wait`) : null));
}
