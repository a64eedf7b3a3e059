// The documents: uploading, watching and deleting them.

import { call, hasSession, upload } from "./api.js";
import { at, make, makeButton } from "./elements.js";

const POLL_MS = 1000;
const ENDED = new Set(["READY", "NO_TEXT", "FAILED"]);
let polling = 0;
let drawn = new Map();
let away = false;

export async function showDocuments() {
  clearTimeout(polling);
  let open = true;
  try {
    const { documents = [] } = await call("GET", "/v1/documents?page_size=100");
    draw(documents);
    if (away) report();
    away = false;
    open = documents.some((one) => !ENDED.has(one.state));
  } catch (error) {
    away = true;
    report(error);
  }
  // Also after a failure: services come back.
  if (open && hasSession()) polling = setTimeout(showDocuments, POLL_MS);
}

// A row that has not changed stays as it is, so that it keeps the keyboard's focus.
function draw(documents) {
  const rows = new Map(documents.map((doc) => [JSON.stringify(doc), doc]));
  const next = new Map([...rows].map(([key, doc]) => [key, drawn.get(key) || drawDocument(doc)]));
  if (next.size !== drawn.size || [...next.keys()].some((key) => !drawn.has(key))) at("documents").replaceChildren(...next.values());
  drawn = next;
}

function drawDocument(doc) {
  const item = make("li");
  const name = make("div", "name", doc.filename, "auto");
  name.title = doc.filename;
  const row = make("div", "row");
  const remove = makeButton("", "delete", () => removeDocument(doc));
  remove.setAttribute("aria-label", `Delete ${doc.filename}`);
  row.append(make("span", doc.state === "FAILED" ? "error" : "", describeState(doc)), remove);
  item.append(name, row);
  if (!ENDED.has(doc.state)) item.append(drawProgress(doc));
  return item;
}

function drawProgress(doc) {
  const bar = make("progress");
  if (doc.chunk_count) { bar.max = doc.chunk_count; bar.value = doc.indexed_chunk_count || 0; }
  return bar;
}

function describeState(doc) {
  if (doc.state === "READY") return [count(doc.page_count, "page"), count(doc.chunk_count, "chunk")].filter(Boolean).join(", ");
  if (doc.state === "FAILED") return doc.state_message || doc.state_reason;
  if (doc.state === "NO_TEXT") return "holds no text";
  if (doc.state === "INDEXING") return `indexing, ${doc.indexed_chunk_count || 0} of ${doc.chunk_count}`;
  return doc.state.toLowerCase();
}

function count(number, noun) {
  return number ? `${number} ${noun}${number === 1 ? "" : "s"}` : "";
}

async function removeDocument(doc) {
  if (!confirm(`Delete ${doc.filename}?`)) return;
  report();
  await call("DELETE", `/v1/documents/${doc.document_id}`).catch(report);
  await showDocuments();
}

function report(error) {
  at("upload-error").textContent = error?.message || "";
}

async function send(files) {
  if (!files.length) return;
  report();
  at("sending").textContent = `sending ${count(files.length, "file")}…`;
  await upload(files).then(showDocuments).catch(report);
  at("sending").textContent = "";
  at("files").value = "";
}

export function listen() {
  at("files").addEventListener("change", (event) => send([...event.target.files]));
  // All over the page: a file dropped beside the field would replace the page.
  for (const kind of ["dragover", "dragleave", "drop"]) {
    window.addEventListener(kind, (event) => {
      event.preventDefault();
      at("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop" && hasSession()) send([...event.dataTransfer.files]);
    });
  }
}
