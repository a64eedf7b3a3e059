// The page: who is in, which documents there are, the conversation and the source beside it.

import { ask, call, enter, hasSession, leave, upload } from "./api.js";
import { Turn, place } from "./answer.js";

const AROUND = 600;
const POLL_MS = 1000;
const ENDED = new Set(["READY", "NO_TEXT", "FAILED"]);
const at = (id) => document.getElementById(id);
let conversation = "";
let polling = 0;

async function showHealth() {
  const up = await call("GET", "/health").then(() => true, () => false);
  at("health").className = up ? "up" : "down";
  at("health").textContent = up ? "all services answer" : "not every service answers";
}

async function open() {
  const inside = hasSession();
  at("door").hidden = inside;
  at("desk").hidden = at("leave").hidden = !inside;
  at("who").textContent = "";
  if (!inside) return;
  try {
    const me = await call("GET", "/v1/me");
    at("who").textContent = me.user.email;
    await showDocuments();
  } catch (error) {
    if (!hasSession()) return open();
    at("upload-error").textContent = error.message;
  }
}

async function showDocuments() {
  clearTimeout(polling);
  const { documents = [] } = await call("GET", "/v1/documents?page_size=100");
  at("documents").replaceChildren(...documents.map(drawDocument));
  if (documents.some((one) => !ENDED.has(one.state))) polling = setTimeout(() => showDocuments().catch(() => {}), POLL_MS);
}

function drawDocument(doc) {
  const item = document.createElement("li");
  const name = document.createElement("div");
  name.className = "name";
  name.dir = "auto";
  name.textContent = name.title = doc.filename;
  const row = document.createElement("div");
  row.className = "row";
  const state = document.createElement("span");
  state.textContent = describeState(doc);
  if (doc.state === "FAILED") state.className = "error";
  const remove = document.createElement("button");
  remove.type = "button";
  remove.textContent = "delete";
  remove.setAttribute("aria-label", `Delete ${doc.filename}`);
  remove.addEventListener("click", () => call("DELETE", `/v1/documents/${doc.document_id}`).then(showDocuments, showUploadError));
  row.append(state, remove);
  item.append(name, row);
  if (!ENDED.has(doc.state)) item.append(drawProgress(doc));
  return item;
}

function drawProgress(doc) {
  const bar = document.createElement("progress");
  if (doc.chunk_count) { bar.max = doc.chunk_count; bar.value = doc.indexed_chunk_count; }
  return bar;
}

function describeState(doc) {
  if (doc.state === "READY") return [count(doc.page_count, "page"), count(doc.chunk_count, "chunk")].filter(Boolean).join(", ");
  if (doc.state === "FAILED") return doc.state_message || doc.state_reason;
  if (doc.state === "NO_TEXT") return "holds no text";
  return doc.state.toLowerCase();
}

function count(number, noun) {
  return number ? `${number} ${noun}${number === 1 ? "" : "s"}` : "";
}

function showUploadError(error) {
  at("upload-error").textContent = error?.message || "";
}

async function send(files) {
  if (!files.length) return;
  showUploadError();
  at("drop").classList.add("over");
  await upload(files).then(showDocuments).catch(showUploadError);
  at("drop").classList.remove("over");
  at("files").value = "";
}

async function converse(question) {
  const turn = new Turn(at("turns"), question, showSource);
  at("send").disabled = true;
  try {
    for await (const event of ask(question, conversation)) {
      if (event.started) conversation = event.started.conversation_id;
      turn.take(event);
    }
  } catch (error) {
    turn.fail(error.message);
  }
  turn.end();
  at("send").disabled = false;
}

async function showSource(source, button) {
  document.querySelectorAll(".cite.open").forEach((one) => one.classList.remove("open"));
  button.classList.add("open");
  const start = Math.max(0, source.start_offset - AROUND);
  at("source-hint").hidden = true;
  at("source-name").textContent = `${source.filename}${place(source)}`;
  try {
    const path = `/v1/documents/${source.document_id}/text?start_offset=${start}&end_offset=${source.end_offset + AROUND}`;
    const letters = [...(await call("GET", path)).text];
    const [from, to] = [source.start_offset - start, source.end_offset - start];
    const mark = document.createElement("mark");
    mark.textContent = letters.slice(from, to).join("");
    at("source-text").replaceChildren(letters.slice(0, from).join(""), mark, letters.slice(to).join(""));
    mark.scrollIntoView({ block: "center" });
  } catch (error) {
    at("source-text").textContent = error.message;
  }
}

at("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  at("enter-error").textContent = "";
  await enter(event.submitter.value, form.get("email"), form.get("password")).then(open, (error) => {
    at("enter-error").textContent = error.message;
  });
});
at("leave").addEventListener("click", async () => { await leave(); location.reload(); });
at("files").addEventListener("change", (event) => send([...event.target.files]));
at("fresh").addEventListener("click", () => { conversation = ""; at("turns").replaceChildren(); at("question").focus(); });
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = at("question").value.trim();
  if (!question || at("send").disabled) return;
  at("question").value = "";
  converse(question);
});
at("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); at("ask").requestSubmit(); }
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  at("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") send([...event.dataTransfer.files]);
  });
}
showHealth();
open();
