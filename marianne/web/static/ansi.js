// Output as text: colours are shown, every other escape and control is named, nothing is executed.

const NAMED = /\x1b(?:\[([0-9;:<=>?]*)[ -/]*([@-~])|\](?:[^\x07\x1b]*)(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~]|)/y;
const PLAIN = /[^\x00-\x08\x0b-\x1f\x7f-\x9f]+/y;

export class Ansi {
  constructor() {
    this.style = { f: null, b: null, flags: new Set() };
  }

  // Elements for a text. A carriage return before a line's end begins the line anew, as on a terminal.
  render(text) {
    const found = document.createDocumentFragment();
    let at = 0;
    while (at < text.length) {
      PLAIN.lastIndex = at;
      const plain = PLAIN.exec(text);
      if (plain) {
        found.append(this.span(plain[0]));
        at = PLAIN.lastIndex;
        continue;
      }
      if (text[at] === "\x1b") {
        NAMED.lastIndex = at;
        const escape = NAMED.exec(text);
        at = NAMED.lastIndex > at ? NAMED.lastIndex : at + 1;
        if (escape && escape[2] === "m") this.colour(escape[1]);
        continue;
      }
      if (text[at] === "\r") found.append(text[at + 1] === "\n" ? "" : "\n");
      else found.append(named(text.charCodeAt(at)));
      at += 1;
    }
    return found;
  }

  span(text) {
    const { f, b, flags } = this.style;
    if (f === null && b === null && !flags.size) return document.createTextNode(text);
    const element = document.createElement("span");
    element.className = [f === null ? "" : `f${f}`, b === null ? "" : `b${b}`, ...[...flags].map((flag) => `a${flag}`)].join(" ").trim();
    element.append(text);
    return element;
  }

  colour(numbers) {
    const codes = numbers.split(/[;:]/).map((word) => Number(word || 0));
    for (let i = 0; i < codes.length; i += 1) {
      const code = codes[i];
      if (code === 0) this.style = { f: null, b: null, flags: new Set() };
      else if (code < 10) this.style.flags.add(code);
      else if (code === 22) { this.style.flags.delete(1); this.style.flags.delete(2); }
      else if (code > 22 && code < 30) this.style.flags.delete(code - 20);
      else if (code >= 30 && code <= 37) this.style.f = code - 30;
      else if (code >= 90 && code <= 97) this.style.f = code - 90;
      else if (code >= 40 && code <= 47) this.style.b = code - 40;
      else if (code >= 100 && code <= 107) this.style.b = code - 100;
      else if (code === 39) this.style.f = null;
      else if (code === 49) this.style.b = null;
      else if (code === 38 || code === 48) {
        // 256 and true colours become the nearest of the eight.
        const [nearest, used] = rich(codes, i + 1);
        if (code === 38) this.style.f = nearest; else this.style.b = nearest;
        i += used;
      }
    }
  }
}

function rich(codes, at) {
  if (codes[at] === 5) {
    const n = codes[at + 1] || 0;
    if (n < 16) return [n % 8, 2];
    if (n > 231) return [n > 243 ? 7 : 0, 2];
    const cube = n - 16;
    return [eight(Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51), 2];
  }
  return [eight(codes[at + 1], codes[at + 2], codes[at + 3]), 4];
}

function eight(red, green, blue) {
  return (red > 127 ? 1 : 0) + (green > 127 ? 2 : 0) + (blue > 127 ? 4 : 0);
}

function named(code) {
  const element = document.createElement("span");
  element.className = "escape";
  element.append(code < 32 ? `^${String.fromCharCode(64 + code)}` : code === 127 ? "^?" : `\\x${code.toString(16)}`);
  return element;
}
