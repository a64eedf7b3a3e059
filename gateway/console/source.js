// The source beside the conversation: the words a citation rests on, marked in the text around them.

import { call } from "./api.js";
import { place } from "./answer.js";
import { at, make } from "./elements.js";

const AROUND = 600;

export async function showSource(source, button) {
  document.querySelectorAll(".cite.open").forEach((one) => one.classList.remove("open"));
  button.classList.add("open");
  const start = Math.max(0, source.start_offset - AROUND);
  at("source-hint").hidden = true;
  at("source-name").textContent = `${source.filename}${place(source)}`;
  try {
    const path = `/v1/documents/${source.document_id}/text?start_offset=${start}&end_offset=${source.end_offset + AROUND}`;
    const letters = [...(await call("GET", path)).text];
    const [from, to] = [source.start_offset - start, source.end_offset - start];
    const mark = make("mark", "", letters.slice(from, to).join(""));
    at("source-text").replaceChildren(letters.slice(0, from).join(""), mark, letters.slice(to).join(""));
    mark.scrollIntoView({ block: "center" });
  } catch (error) {
    at("source-text").textContent = error.message;
  }
}

export function clearSource() {
  at("source-hint").hidden = false;
  at("source-name").textContent = "";
  at("source-text").replaceChildren();
}
