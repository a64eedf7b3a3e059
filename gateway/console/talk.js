// The conversation: asking, stopping, starting anew and reopening an earlier one.

import { Turn } from "./answer.js";
import { ask, call } from "./api.js";
import { at, make, makeButton } from "./elements.js";
import { clearSource, showSource } from "./source.js";

const PAST = 30;
let conversation = "";
let running = null;

async function converse(question) {
  const turn = new Turn(at("turns"), question, showSource);
  const mine = new AbortController();
  running = mine;
  showRunning();
  try {
    for await (const event of ask(question, conversation, mine.signal)) {
      if (event.started) conversation = event.started.conversation_id;
      turn.take(event);
    }
    turn.end();
  } catch (error) {
    turn.end(mine.signal.aborted ? "Stopped." : error.status || error.cause ? error.message : undefined);
  }
  if (running === mine) running = null;
  showRunning();
  await showPast();
}

function showRunning() {
  at("send").textContent = running ? "Stop" : "Ask";
  at("send").classList.toggle("quiet", Boolean(running));
}

function stop() {
  running?.abort();
  running = null;
}

export function startAnew() {
  stop();
  conversation = "";
  at("turns").replaceChildren();
  clearSource();
  markOpen();
  at("question").focus();
}

// The earlier conversations, the last used first.
export async function showPast() {
  const { conversations = [] } = await call("GET", `/v1/conversations?page_size=${PAST}`).catch(() => ({}));
  at("past-title").hidden = !conversations.length;
  at("past").replaceChildren(...conversations.map(drawPast));
  markOpen();
}

function drawPast(one) {
  const item = make("li");
  const button = makeButton("past", one.title, () => reopen(one.conversation_id));
  button.dir = "auto";
  button.title = `${one.title} (${new Date(one.update_time).toLocaleString()})`;
  button.dataset.id = one.conversation_id;
  item.append(button);
  return item;
}

function markOpen() {
  for (const button of document.querySelectorAll("button.past")) {
    button.toggleAttribute("aria-current", button.dataset.id === conversation);
  }
}

async function reopen(id) {
  startAnew();
  conversation = id;
  markOpen();
  try {
    const messages = await readMessages(id);
    if (conversation === id) drawMessages(messages);
  } catch (error) {
    new Turn(at("turns"), "", showSource).end(error.message);
  }
}

function drawMessages(messages) {
  let turn = null;
  for (const message of messages) {
    if (message.role === "USER") {
      turn = new Turn(at("turns"), message.text, showSource);
      turn.end("");
    } else (turn ??= new Turn(at("turns"), "", showSource)).show(message);
  }
}

async function readMessages(id) {
  const found = [];
  let token = "";
  do {
    const page = await call("GET", `/v1/conversations/${id}/messages?page_size=100&page_token=${encodeURIComponent(token)}`);
    found.push(...(page.messages || []));
    token = page.next_page_token;
  } while (token);
  return found;
}

export function listen() {
  at("fresh").addEventListener("click", startAnew);
  at("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    if (running) { stop(); showRunning(); return; }
    const question = at("question").value.trim();
    if (!question) return;
    at("question").value = "";
    converse(question);
  });
  at("question").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!running) at("ask").requestSubmit();
  });
}
