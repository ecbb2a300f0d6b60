// Buttons that do something to a job. What ends or repeats work asks first.

import { fill, h } from "./dom.js";
import { over } from "./format.js";
import { act, path } from "./live.js";
import { card } from "./problem.js";

const ASK = {
  cancel: (job) => `Cancel ${job.job_id}? Its running sheets are ended.`,
  retry: (job) => `Run again what failed in ${job.job_id}, and what depends on it?`,
  resume: (job) => (over(job.status) ? `Run what is left of ${job.job_id}?` : null),
};

function fits(action, status) {
  if (action === "pause") return status === "running" || status === "queued" || status === "pending";
  if (action === "resume") return status === "paused" || status === "pausing" || status === "failed" || status === "cancelled";
  if (action === "retry") return status === "failed" || status === "cancelled";
  return !over(status) && status !== "cancelling";
}

export class Actions {
  constructor(session, sheets = null) {
    this.sheets = sheets;
    this.said = h("div");
    this.buttons = Object.fromEntries((sheets ? ["retry"] : ["pause", "resume", "retry", "cancel"]).map((action) => [action,
      h("button", { id: action, disabled: true, class: action === "cancel" ? "bad" : null, onclick: () => this.press(action) }, action)]));
    this.element = session.write ? h("div", {}, h("div", { class: "row" }, Object.values(this.buttons)), this.said) : h("div");
  }

  take(job, possible = true) {
    this.job = job;
    for (const [action, button] of Object.entries(this.buttons)) button.disabled = !(possible && fits(action, job.status));
  }

  async press(action) {
    const question = ASK[action]?.(this.job);
    if (question && !(await confirmed(question, action))) return;
    fill(this.said, h("p", { class: "dim" }, `${action}: asked`));
    try {
      const told = await act(path(this.job.job_id, action), this.sheets ? { sheets: this.sheets } : {});
      fill(this.said, h("p", { class: "dim", id: "done" }, `${action}: ${told.message || told.status}`));
    } catch (error) {
      fill(this.said, card(error));
    }
  }
}

function confirmed(question, action) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { id: "confirm" }, h("p", {}, question), h("div", { class: "row" },
      h("button", { id: "yes", class: "bad", onclick: () => dialog.close("yes") }, action),
      h("button", { onclick: () => dialog.close("no") }, "leave it")));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
