// Drawing one turn: the text as it streams, with a button at every citation marker.

import { make, makeButton } from "./elements.js";

const FOLLOW_PIXELS = 60;
const MARKER = /\[(\d{1,3})\]/g;

const BROKEN_OFF = "The answer broke off. Ask again.";

export class Turn {
  constructor(list, question, onCite) {
    this.list = list;
    this.onCite = onCite;
    this.text = "";
    this.citations = [];
    this.passages = [];
    this.over = false;
    this.root = make("article", "turn running");
    // A screen reader hears the answer when it is whole, not word by word.
    this.root.setAttribute("aria-busy", "true");
    this.answer = make("p", "answer", "", "auto");
    this.meta = make("p", "meta", "", "auto");
    if (question) this.root.append(make("p", "question", question, "auto"));
    this.root.append(this.answer, this.meta);
    list.append(this.root);
    this.root.scrollIntoView({ block: "end" });
  }

  // Takes one event; whatever it does not know it leaves alone.
  take(event) {
    const follows = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < FOLLOW_PIXELS;
    if (event.sources) this.passages = event.sources.passages || [];
    if (event.text_delta) this.text += event.text_delta.text;
    if (event.citation) this.citations.push(event.citation);
    if (event.text_delta || event.citation) this.draw();
    if (event.completed) this.conclude(describe(event.completed, this.citations));
    if (event.error) this.conclude(event.error.message, true);
    // Whoever has scrolled up to read stays there.
    if (follows) this.list.scrollTop = this.list.scrollHeight;
  }

  // Shows an answer of an earlier conversation.
  show(message) {
    this.text = message.text;
    this.citations = message.citations || [];
    this.draw();
    const whole = message.state === "COMPLETE";
    this.conclude(whole ? describe(message, this.citations) : message.state === "CANCELLED" ? "Stopped." : BROKEN_OFF, !whole);
    this.end();
  }

  conclude(text, failed = false) {
    this.over = true;
    this.meta.textContent = text;
    this.meta.classList.toggle("error", failed);
  }

  // Ends the turn; an answer that has neither been completed nor failed says why.
  end(why = BROKEN_OFF) {
    if (!this.over) this.conclude(why, Boolean(why));
    this.root.classList.remove("running");
    this.root.removeAttribute("aria-busy");
  }

  draw() {
    const nodes = [];
    let last = 0;
    for (const found of this.text.matchAll(MARKER)) {
      nodes.push(this.text.slice(last, found.index), this.chip(Number(found[1]), found.index));
      last = found.index + found[0].length;
    }
    this.answer.replaceChildren(...nodes, this.text.slice(last));
  }

  chip(marker, index) {
    const position = [...this.text.slice(0, index)].length;
    const near = this.citations.filter((one) => one.marker === marker);
    const citation = near.find((one) => one.answer_start <= position && position <= one.answer_end) || near[0];
    const source = citation || this.passages.find((one) => one.marker === marker);
    const button = makeButton(`cite ${citation?.check || ""}`, marker, (chip) => this.onCite(source, chip));
    button.title = describeSource(source);
    button.disabled = !source?.document_id;
    return button;
  }
}

export function place(source) {
  const page = source.page_number ?? source.page_start;
  return page ? `, page ${page}` : "";
}

function describeSource(source) {
  if (!source) return "";
  return source.check === "SOURCE_DELETED" ? "This document has been deleted." : `${source.filename}${place(source)}`;
}

function describe(done, citations) {
  const waiting = describeWaiting(done.documents_in_progress);
  return `${waiting}${done.provider} ${done.model} · ${countSources(citations)} · first words after ${done.time_to_first_token_ms} ms, all after ${done.latency_ms} ms`;
}

// An answer that found nothing may only have come too early.
function describeWaiting(count) {
  if (!count) return "";
  return `${count === 1 ? "One document is" : `${count} documents are`} still being indexed: ask again afterwards. `;
}

function countSources(citations) {
  const deleted = citations.filter((one) => one.check === "SOURCE_DELETED").length;
  const left = citations.length - deleted;
  const found = citations.filter((one) => one.check === "EXACT" || one.check === "NORMALISED").length;
  const parts = left ? [`${found} of ${left} citations found in the source`] : [];
  if (deleted) parts.push(`${deleted} of a document deleted since`);
  return parts.join(", ") || "no source";
}
