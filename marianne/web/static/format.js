// Figures as people read them. Times are local.

export const LETTERS = {
  p: "pending", r: "running", w: "waiting", c: "completed", f: "failed", s: "skipped", x: "cancelled",
};

export function seconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (value > 0 && value < 0.095) return `${Math.max(1, Math.round(value * 1000))} ms`;
  if (value < 10) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} m`;
  return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
}

export function since(time) {
  return time ? (Date.now() - Date.parse(time)) / 1000 : null;
}

export function clock(time) {
  if (!time) return "";
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  const hour = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return today ? hour : `${date.toLocaleDateString()} ${hour}`;
}

// What the conductor says in words has its times in UTC.
export function local(text) {
  return text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/g, (time) => clock(time));
}

export function bytes(value) {
  if (value < 1024) return `${value} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let unit = -1;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${value.toFixed(1)} ${units[unit]}`;
}

export function money(usage) {
  if (!usage || !usage.cost_usd) return "";
  if (usage.cost_usd < 0.001) return "< $0.001";
  return `$${usage.cost_usd.toFixed(usage.cost_usd < 10 ? 3 : 2)}`;
}

export function over(status) {
  return status === "completed" || status === "failed" || status === "cancelled";
}

// Seconds in which the job was at work, without those between attempts; null before them.
export function atWork(job) {
  const running = job.at_work_since ? Math.max(0, since(job.at_work_since)) : null;
  return job.worked_seconds || running !== null ? job.worked_seconds + running : null;
}

// Of a sheet: all its attempts together, so far, or until what runs was made to stand still.
export function sheetAtWork(sheet, still) {
  const until = still ? Date.parse(still) : Date.now();
  const running = sheet.status === "running" && sheet.started_at ? Math.max(0, (until - Date.parse(sheet.started_at)) / 1000) : null;
  return sheet.worked_seconds || running !== null ? sheet.worked_seconds + running : null;
}

export function took(job) {
  return seconds(atWork(job));
}

// By the pace so far; nothing is said of a job that has just begun, or has begun all of its sheets.
export function left(job) {
  const progress = job.progress;
  const done = progress.completed + progress.failed + progress.skipped + progress.cancelled;
  const worked = progress.completed + progress.failed;
  if (job.status !== "running" || worked < 2 || !progress.pending) return "";
  const pace = atWork(job) / worked;
  return seconds(pace * (progress.total - done));
}

export function done(progress) {
  return progress.completed + progress.skipped;
}
