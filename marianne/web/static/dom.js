// Elements from data. Text is always text: nothing that a job says is ever read as HTML.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function section(title, ...children) {
  return h("section", {}, h("h2", {}, title), ...children);
}

export function colour(letter) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${letter}`).trim();
}

// What the server says of a question that nobody was there to answer.
export const AWAY = ["no_conductor", "unavailable", "shutting_down", "deadline", "lost"];

// Only one call at a time, at most every so many milliseconds, and always a last one. What is refused
// because the conductor is away is asked again.
export function seldom(milliseconds, work) {
  let timer = null, again = false;
  const run = async () => {
    let pause = milliseconds;
    again = false;
    try { await work(); } catch (error) {
      if (!AWAY.includes(error.code)) throw error;
      again = true;
      pause = Math.max(pause, 1000);
    } finally {
      timer = setTimeout(() => { timer = null; if (again) start(); }, pause);
    }
  };
  const start = () => { timer = -1; run(); };
  return () => { if (timer === null) start(); else again = true; };
}
