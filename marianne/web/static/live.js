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
  constructor(asked, parts) {
    const query = new URLSearchParams(asked);
    this.last = 0;
    this.source = new EventSource(`/api/live?${query}`);
    for (const [name, take] of Object.entries(parts)) {
      this.source.addEventListener(name, (event) => {
        if (event.lastEventId) this.last = Number(event.lastEventId);
        take(JSON.parse(event.data));
      });
    }
    this.source.addEventListener("conductor", (event) => line(JSON.parse(event.data).state));
    this.source.onerror = () => line(this.source.readyState === EventSource.CLOSED ? "refused" : "lost");
    addEventListener("pagehide", () => this.source.close());
    // A page that comes back from the browser's cache has no stream any more.
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  close() {
    this.source.close();
  }
}

export async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters);
  const answer = await fetch(query.size ? `${path}?${query}` : path);
  const told = await answer.json();
  if (!answer.ok) throw told.error;
  return told;
}

export async function act(path, body = {}) {
  const answer = await fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  const told = await answer.json();
  if (!answer.ok) throw told.error;
  return told;
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
