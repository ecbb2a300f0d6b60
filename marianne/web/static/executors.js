// Where sheets run: each executor with its nodes, their leases and slots, and the jobs that are there.

import { h } from "./dom.js";
import { seconds } from "./format.js";
import { jobLink } from "./live.js";

// By the words of the states of jobs, whose colours they take.
const LOOKS = { up: "completed", away: "paused", drained: "cancelled", unfit: "failed" };

export function executors(told) {
  return told.map((one) => h("div", { class: "card", "data-executor": one.name },
    h("div", { class: "row" }, h("b", {}, one.name),
      h("span", { class: "dim" }, one.kind, one.address ? ` at ${one.address}` : "", one.used ? "" : " (not used)"),
      one.why ? h("span", { class: "state failed" }, `not reached: ${one.why}`) : null,
      one.slots === null ? null : h("span", {}, `${figure(one.taken)} of ${one.slots} slots taken`),
      one.lease_seconds === null ? null : h("span", { class: "dim" }, `lease ${seconds(one.lease_seconds)}`)),
    one.nodes.length ? nodes(one.nodes) : h("p", { class: "dim" }, one.slots === null ? "On this machine, in a process for each job." : "No node yet.")));
}

function nodes(told) {
  const head = ["node", "state", "slots", "what runs there", "lease", "host", "version", "clock", ""].map((name) => h("th", {}, name));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, told.map((one) => h("tr", { "data-node": one.name },
    h("td", { class: "mono" }, one.name),
    h("td", {}, h("span", { class: `state ${LOOKS[one.state] || ""}` }, one.state)),
    h("td", {}, `${figure(one.taken)} of ${one.slots}`),
    h("td", { class: "wide" }, jobs(one.jobs)),
    h("td", {}, lease(one.lease_left_seconds)),
    h("td", {}, one.host || ""), h("td", { class: "dim" }, one.version || ""),
    h("td", { class: "dim" }, one.skew_seconds === null ? "" : `${one.skew_seconds < 0 ? "" : "+"}${one.skew_seconds.toFixed(1)} s`),
    h("td", { class: "wide dim" }, one.why || ""))))));
}

function jobs(names) {
  const shown = names.slice(0, 8).flatMap((name, index) => [index ? ", " : "", h("a", { href: jobLink(name) }, name)]);
  return names.length > 8 ? [...shown, ` and ${names.length - 8} more`] : shown;
}

// Of a node that is away: until then what it ran has surely ended.
function lease(left) {
  if (left === null) return "renewed";
  return left > 0 ? `${seconds(left)} left` : "over";
}

function figure(value) {
  return String(Math.round(value * 100) / 100);
}
