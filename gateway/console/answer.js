// Drawing one turn: the text as it streams, with a button at every citation marker.

const MARKER = /\[(\d{1,3})\]/g;

export class Turn {
  constructor(list, question, onCite) {
    this.onCite = onCite;
    this.text = "";
    this.citations = [];
    this.passages = [];
    this.root = document.createElement("article");
    this.root.className = "turn running";
    this.answer = paragraph("answer", "");
    this.meta = paragraph("meta", "");
    this.root.append(paragraph("question", question), this.answer, this.meta);
    list.append(this.root);
    this.root.scrollIntoView({ block: "end" });
  }

  // Takes one event; whatever it does not know it leaves alone.
  take(event) {
    if (event.sources) this.passages = event.sources.passages || [];
    if (event.text_delta) this.text += event.text_delta.text;
    if (event.citation) this.citations.push(event.citation);
    if (event.text_delta || event.citation) this.draw();
    if (event.completed) this.meta.textContent = describe(event.completed, this.citations);
    if (event.error) this.fail(event.error.message);
  }

  fail(message) {
    this.meta.textContent = message;
    this.meta.classList.add("error");
  }

  end() {
    this.root.classList.remove("running");
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
    const button = document.createElement("button");
    button.type = "button";
    button.className = `cite ${citation?.check || ""}`;
    button.textContent = marker;
    const source = citation || this.passages.find((one) => one.marker === marker);
    button.title = source ? `${source.filename}${place(source)}` : "";
    button.disabled = !source?.document_id;
    button.addEventListener("click", () => this.onCite(source, button));
    return button;
  }
}

export function place(source) {
  const page = source.page_number ?? source.page_start;
  return page ? `, page ${page}` : "";
}

function describe(done, citations) {
  const checked = citations.filter((one) => one.check !== "UNSUPPORTED").length;
  const sources = citations.length ? `${checked} of ${citations.length} citations found in the source` : "no source";
  return `${done.provider} ${done.model} · ${sources} · first words after ${done.time_to_first_token_ms} ms, all after ${done.latency_ms} ms`;
}

function paragraph(name, text) {
  const element = document.createElement("p");
  element.className = name;
  element.dir = "auto";
  element.textContent = text;
  return element;
}
