// The stream of a page. The browser connects again by itself, and says which event it has.

const WORDS = {
  there: "live", away: "the conductor is away; what is shown is the last it said",
  none: "no conductor runs: marianne start", lost: "this page's server is gone; trying again",
  refused: "this page's server has another address now: it printed it",
};

function line(state) {
  const element = document.getElementById("line");
  element.className = `line ${state === "refused" ? "lost" : state}`;
  element.textContent = WORDS[state];
  element.dataset.state = state;
}

export class Live {
  constructor(asked, parts, problem) {
    const query = new URLSearchParams(asked);
    this.source = new EventSource(`/api/live?${query}`);
    for (const [name, take] of Object.entries(parts)) {
      this.source.addEventListener(name, (event) => {
        if (name !== "log") problem.told();
        take(JSON.parse(event.data));
      });
    }
    this.source.addEventListener("problem", (event) => problem.take(JSON.parse(event.data)));
    this.source.addEventListener("conductor", (event) => {
      const told = JSON.parse(event.data);
      line(told.state);
      problem.conductor(told);
    });
    this.source.onerror = () => line(this.source.readyState === EventSource.CLOSED ? "refused" : "lost");
    addEventListener("pagehide", () => this.source.close());
    // A page that comes back from the browser's cache has no stream any more.
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  close() {
    this.source.close();
  }
}

// What was told, or an error: the conductor's, or that this page's server is not there.
async function told(path, how) {
  const answer = await fetch(path, how).catch(() => { throw { code: "lost", message: "This page's server does not answer." }; });
  const data = await answer.json();
  if (!answer.ok) throw data.error;
  return data;
}

export function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters);
  return told(query.size ? `${path}?${query}` : path);
}

export function act(path, body = {}) {
  return told(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

export function path(job, ...rest) {
  return ["", "api", "jobs", encodeURIComponent(job), ...rest].join("/");
}

export function jobLink(job) {
  return `/jobs/${encodeURIComponent(job)}`;
}

export function sheetLink(job, sheet) {
  return `${jobLink(job)}/sheets/${sheet}`;
}
