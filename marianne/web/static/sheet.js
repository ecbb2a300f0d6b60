// One sheet: its attempts, what it wrote and was given, its checks, why it waits.

import { Actions } from "./actions.js";
import { fill, h, section, seldom } from "./dom.js";
import { Events } from "./events.js";
import { clock, local, over, seconds, sheetAtWork } from "./format.js";
import { Live, ask, jobLink, path } from "./live.js";
import { OutputView } from "./output.js";
import { problemCard } from "./problem.js";

const WHY_SECONDS = 5;

export function sheetPage(page, session, id, num) {
  const problem = problemCard(), title = h("h1"), head = h("div", { class: "card" }), why = h("div", { id: "why" });
  const actions = new Actions(session, [num]);
  const checks = h("div", { id: "checks" }), tries = h("div", { class: "scroll", id: "attempts" });
  const output = new OutputView(id, num), events = new Events();
  fill(page, problem.element, h("p", {}, h("a", { href: jobLink(id) }, `← ${id}`)), title, head, actions.element, why,
    section("Output", output.element), section("Checks", checks), section("Attempts", tries), section("What happens", events.element));

  let sheet = null, job = null;
  const reasons = seldom(1000, async () => {
    const told = await ask(path(id, "why"), { sheet: num });
    const one = told.explained.sheets[0];
    fill(why, one && !over(sheet.status) && sheet.status !== "skipped" ? h("p", { class: "card" }, local(one.text)) : null);
  });
  const history = seldom(1000, async () => {
    const told = await ask(path(id, "history"), { sheet: num });
    fill(tries, attempts(told.attempts, (attempt) => output.show(output.stream, attempt)));
  });
  new Live({ view: "sheet", job: id, sheet: String(num) }, {
    job: (told) => { job = told; if (sheet) fill(head, summary(sheet, job.still_since)); if (sheet) actions.take(job, can(sheet)); },
    sheet: (told) => {
      const first = sheet === null, newer = !first && told.attempt !== sheet.attempt;
      const changed = first || told.status !== sheet.status;
      sheet = told;
      document.title = `${sheet.name} · ${id}`;
      title.textContent = `${num} ${sheet.name}`;
      fill(head, summary(sheet, job?.still_since));
      fill(checks, validations(sheet.validations));
      if (job) actions.take(job, can(sheet));
      if (first) output.show(location.hash === "#err" ? "err" : "out", null);
      else if (newer && output.attempt === null) output.show(output.stream, null);
      else if (changed) output.soon(0);
      if (changed) { reasons(); history(); }
    },
    log: (event) => { if (event.sheet_num === num) events.take(event); },
  }, problem);
  setInterval(() => {
    if (sheet?.status === "running") fill(head, summary(sheet, job?.still_since));
    if (sheet && !document.hidden && (sheet.status === "waiting" || sheet.status === "pending" || sheet.status === "ready")) reasons();
  }, WHY_SECONDS * 1000);
}

function can(sheet) {
  return sheet.status === "failed" || sheet.status === "cancelled" || sheet.status === "skipped";
}

function summary(sheet, still) {
  const running = sheet.status === "running" && sheet.started_at;
  const facts = [
    ["attempt", sheet.attempt ? String(sheet.attempt) : ""], ["by", sheet.model ? `${sheet.instrument} ${sheet.model}` : sheet.instrument],
    ["began", clock(sheet.started_at)], ["took", seconds(sheetAtWork(sheet, still)) + (running ? " so far" : "")],
    ["exit code", sheet.exit_code === null ? "" : String(sheet.exit_code)], ["signal", sheet.signal === null ? "" : String(sheet.signal)],
    ["is tried again at", clock(sheet.due_at)],
  ].filter(([, value]) => value);
  return [
    h("div", { class: "row" }, h("span", { class: `state ${sheet.status}`, id: "sheet-status" }, sheet.status),
      ...facts.map(([name, value]) => h("span", { class: "dim" }, `${name} ${value}`))),
    sheet.error ? h("div", {}, sheet.error.message || sheet.error.category) : null,
    sheet.left_running.length ? h("div", { class: "dim" }, `left running, and ended: ${sheet.left_running.join(", ")}`) : null,
  ];
}

function validations(checks) {
  if (!checks.length) return h("p", { class: "dim" }, "None.");
  const word = (passed) => (passed === null ? "not reached" : passed ? "passed" : "failed");
  return h("table", {}, h("tbody", {}, checks.map((check) => h("tr", {},
    h("td", {}, h("span", { class: `state ${check.passed === null ? "skipped" : check.passed ? "completed" : "failed"}` }, word(check.passed))),
    h("td", {}, check.type), h("td", { class: "wide" }, check.detail)))));
}

function attempts(rows, show) {
  if (!rows.length) return h("p", { class: "dim" }, "None has ended yet.");
  const head = ["attempt", "outcome", "began", "took", "memory", "processor", "what kept it"].map((name) => h("th", {}, name));
  return h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows.map((one) => h("tr", {},
    h("td", {}, h("button", { onclick: () => show(one.attempt) }, String(one.attempt))),
    h("td", {}, h("span", { class: `state ${one.outcome}` }, one.outcome)),
    h("td", {}, clock(one.started_at)), h("td", {}, seconds(one.duration_seconds)),
    h("td", {}, `${one.peak_memory_mb.toFixed(0)} MB`), h("td", {}, seconds(one.cpu_seconds)),
    h("td", { class: "wide dim" }, one.message || "")))));
}
