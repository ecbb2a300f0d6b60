// All jobs: how many, what needs a person, what runs. The filter is in the address.

import { bar } from "./bar.js";
import { fill, h, section } from "./dom.js";
import { clock, done, left, money, seconds, since, took } from "./format.js";
import { Live, jobLink } from "./live.js";
import { problemCard } from "./problem.js";

const SEEN = "marianne.seen";
const REMEMBERED = 500;
const WHY = { person: "paused by a person", cost: "its costs have reached their limit", crashes: "it crashed the conductor" };

export function overviewPage(page) {
  const asked = Object.fromEntries(new URLSearchParams(location.search));
  const counts = h("div", { class: "counts", id: "counts" });
  const needs = h("div", { id: "needs" });
  const search = h("input", { type: "search", id: "filter", placeholder: "filter by name", value: asked.q || "" });
  const list = h("div", { class: "scroll", id: "jobs" });
  const problem = problemCard();
  const status = h("p", { class: "dim", id: "status" });
  fill(page, problem.element, counts, needs, section("Jobs", search, list), status);

  let jobs = { jobs: [], total: 0 };
  const draw = () => fill(list, table(jobs, search.value));
  search.addEventListener("input", () => {
    asked.q = search.value;
    if (!asked.q) delete asked.q;
    const query = new URLSearchParams(asked);
    history.replaceState(null, "", query.size ? `/?${query}` : "/");
    draw();
  });
  const view = { view: "overview" };
  if (asked.status) view.status = asked.status;
  if (asked.all) view.all = "1";
  new Live(view, {
    jobs: (told) => { jobs = told; draw(); },
    counts: (told) => fill(counts, ...tiles(told, asked)),
    needs: (told) => needing(needs, told),
    status: (told) => fill(status, `conductor ${told.pid}, version ${told.version}, pressure ${told.pressure}, `
      + `${told.active_sheets} sheets at work, storage ${told.storage}`),
  }, problem);
  setInterval(() => { if (!document.hidden) draw(); }, 5000);
}

function tiles(counts, asked) {
  const chosen = asked.status || "";
  const tile = (name, count, query) => h("a", { href: query, class: chosen === name ? "on" : null }, h("b", {}, String(count)), name);
  return [
    ...Object.entries(counts).map(([name, count]) => tile(name, count, `/?status=${name}`)),
    h("a", { href: "/", class: chosen || asked.all ? null : "on" }, h("b", {}, "·"), "active"),
    h("a", { href: "/?all=1", class: asked.all ? "on" : null }, h("b", {}, "∗"), "all"),
  ];
}

// Failed jobs are shown until somebody has looked at them: that end of that job.
function ending(job) {
  return `${job.job_id} ${job.finished_at}`;
}

function seen() {
  return JSON.parse(localStorage.getItem(SEEN) || "[]");
}

export function see(jobs) {
  const known = new Set([...seen(), ...jobs.map(ending)]);
  localStorage.setItem(SEEN, JSON.stringify([...known].slice(-REMEMBERED)));
}

function needing(element, jobs) {
  const known = new Set(seen());
  const open = jobs.filter((job) => job.status !== "failed" || !known.has(ending(job)));
  if (!open.length) { fill(element, h("p", { class: "dim" }, "Nothing needs you.")); return; }
  const rows = open.slice(0, 30).map((job) => h("li", {},
    h("a", { href: jobLink(job.job_id) }, job.job_id), " ", h("span", { class: `state ${job.status}` }, job.status), " ",
    h("span", { class: "dim" }, job.error || WHY[job.reason] || job.reason || "")));
  const more = open.length > rows.length ? h("p", { class: "dim" }, `and ${open.length - rows.length} more`) : null;
  fill(element, section("Needs you", h("div", { class: "card" }, h("ul", {}, rows), more,
    open.every((job) => job.status !== "failed") ? null : h("button", { id: "seen", onclick: () => { see(jobs.filter((job) => job.status === "failed")); needing(element, jobs); } }, "I have seen the failed ones"))));
}

function table(told, filter) {
  const wanted = filter.toLowerCase();
  const jobs = told.jobs.filter((job) => `${job.job_id} ${job.name} ${job.group || ""}`.toLowerCase().includes(wanted));
  if (!jobs.length) return h("p", { class: "dim" }, filter ? "No job is called so." : "No job is active.");
  const rows = jobs.map((job) => h("tr", { "data-job": job.job_id },
    h("td", { class: "wide" }, h("a", { href: jobLink(job.job_id) }, job.job_id)),
    h("td", {}, h("span", { class: `state ${job.status}` }, job.status)),
    h("td", {}, bar(job.progress), h("span", { class: "dim" }, `${done(job.progress)} of ${job.progress.total}`,
      job.progress.failed ? `, ${job.progress.failed} failed` : "")),
    h("td", { class: "short", title: clock(job.submitted_at) }, seconds(since(job.submitted_at))),
    h("td", { class: "narrow" }, took(job)),
    h("td", { class: "narrow" }, left(job)),
    h("td", { class: "narrow" }, money(job.usage))));
  const head = ["job", "status", "sheets"].map((name) => h("th", {}, name));
  head.push(h("th", {}, "age"), ...["took", "left", "cost"].map((name) => h("th", { class: "narrow" }, name)));
  const more = told.total > told.jobs.length ? h("p", { class: "dim" }, `The newest ${told.jobs.length} of ${told.total}.`) : null;
  return h("div", {}, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)), more);
}
