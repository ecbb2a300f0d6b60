// Which page this is, by its address.

import { conductorPage } from "./conductor.js";
import { h, fill } from "./dom.js";
import { jobPage } from "./job.js";
import { ask } from "./live.js";
import { overviewPage } from "./overview.js";
import { sheetPage } from "./sheet.js";

const page = document.getElementById("page");
const parts = location.pathname.split("/").filter(Boolean).map(decodeURIComponent);

async function begin() {
  const session = await ask("/api/session");
  if (parts[0] === "conductor") conductorPage(page);
  else if (parts[0] === "jobs" && parts[2] === "sheets") sheetPage(page, session, parts[1], Number(parts[3]));
  else if (parts[0] === "jobs") jobPage(page, session, parts[1]);
  else overviewPage(page, session);
}

begin().catch((error) => fill(page, h("p", { class: "card problem" }, error.message || String(error))));
