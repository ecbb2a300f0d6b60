// The conductor itself: its parts, what the machine has left, what keeps work waiting, its log.

import { fill, h, seldom, section } from "./dom.js";
import { bytes, clock, seconds } from "./format.js";
import { executors } from "./executors.js";
import { Events } from "./events.js";
import { Live, ask } from "./live.js";
import { problemCard } from "./problem.js";

const LOG_SECONDS = 2;

export function conductorPage(page) {
  document.title = "Conductor · Marianne";
  const problem = problemCard(), facts = h("div", { class: "card", id: "facts" }), limits = h("div", { id: "limits" });
  const places = h("div", { id: "executors" });
  const tree = h("div", { class: "card", id: "tree" }), log = h("pre", { id: "log" }), events = new Events();
  const logBox = h("div", { class: "output" }, log), logs = section("Log", logBox), config = h("div", { class: "scroll", id: "config" });
  fill(page, problem.element, h("h1", {}, "Conductor"), facts, section("Where sheets run", places), section("Rate limits", limits), section("Supervision", tree),
    logs, section("What happens", events.element), section("Configuration", config));
  logs.classList.add("always"); // it is a file, and says why no conductor runs
  logs.hidden = true;
  let status = null, ready = null, troubles = null;
  const draw = () => { if (status && ready && troubles) fill(facts, figures(status, ready, troubles)); };
  const settle = seldom(1000, async () => fill(config, settings(await ask("/api/config"))));
  new Live({ view: "conductor" }, {
    status: (told) => { if (told.pid !== status?.pid) settle(); status = told; draw(); },
    ready: (told) => { ready = told; draw(); },
    troubles: (told) => { troubles = told; draw(); },
    executors: (told) => fill(places, executors(told)),
    tree: (told) => fill(tree, branch(told)),
    limits: (told) => fill(limits, told.length ? h("ul", {}, told.map((one) => h("li", {}, `${one.key} until ${clock(one.until)}`))) : h("p", { class: "dim" }, "None.")),
    log: events.take.bind(events),
  }, problem);
  const tail = seldom(1000, async () => {
    if (document.hidden) return;
    const low = logBox.scrollTop + logBox.clientHeight >= logBox.scrollHeight - 40;
    const told = await ask("/api/log", { lines: 200 });
    const text = told.lines.map(logLine).join("\n");
    if (text === log.textContent) return;
    log.textContent = text;
    logs.hidden = false;
    if (low) logBox.scrollTop = logBox.scrollHeight;
  });
  tail();
  setInterval(tail, LOG_SECONDS * 1000);
}

// A line of the log is an object; what is none is shown as it is.
function logLine(line) {
  try {
    const { ts, level, event, logger, ...more } = JSON.parse(line);
    const facts = Object.entries(more).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
    return [clock(ts), level, event, ...facts].join(" ");
  } catch { return line; }
}

function figures(status, ready, troubles) {
  const facts = [
    ["version", status.version], ["pid", String(status.pid)], ["heart", status.heart_pid ? String(status.heart_pid) : "none: nobody would replace it"],
    ["runs for", seconds(status.uptime_seconds)], ["takes jobs", status.ready ? "yes" : "no"], ["pressure", status.pressure],
    ["delay between grants", status.current_delay ? seconds(status.current_delay) : ""], ["memory", `${status.memory_usage_mb.toFixed(0)} of ${ready.max_memory_mb} MB`],
    ["the machine has left", ready.machine_available_mb === null ? "" : `${ready.machine_available_mb.toFixed(0)} MB`],
    ["processes", String(ready.child_processes)], ["jobs", `${status.running_jobs} running, ${status.total_jobs_active} active`],
    ["sheets with a slot", String(status.active_sheets)], ["state", `${bytes(status.disk.bytes)}, ${status.disk.jobs} jobs, ${status.disk.events} events`],
    ["disk free", bytes(status.disk.free_bytes)], ["storage", troubles.storage], ["starts", troubles.starts], ["workers", troubles.workers], ["home", status.home],
  ].filter(([, value]) => value);
  return h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function branch(nodes) {
  return h("ul", { class: "tree" }, nodes.map((node) => h("li", { "data-name": node.name },
    h("span", { class: `state ${node.state}` }, node.state), " ", h("span", { class: "mono" }, node.name),
    h("span", { class: "dim" }, node.restarts ? `, restarted ${node.restarts} times` : "", node.mailbox ? `, ${node.mailbox} waiting` : "",
      node.last_crash ? `, last crash: ${node.last_crash}` : ""),
    node.children.length ? branch(node.children) : null)));
}

function settings(told) {
  const rows = [];
  const walk = (value, name) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      for (const [key, below] of Object.entries(value)) walk(below, name ? `${name}.${key}` : key);
    } else rows.push([name, JSON.stringify(value), told.origin[name] || ""]);
  };
  walk(told.config, "");
  return h("table", {}, h("tbody", {}, rows.map((row) => h("tr", {}, h("td", { class: "mono" }, row[0]), h("td", { class: "wide mono" }, row[1]), h("td", { class: "dim" }, row[2])))));
}
