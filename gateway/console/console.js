// The page: who is in, and what is shown then.

import { call, enter, hasSession, leave } from "./api.js";
import * as documents from "./documents.js";
import { at } from "./elements.js";
import * as talk from "./talk.js";

const LOOK_MS = 15000;
const LOOK_AGAIN_MS = 3000;

async function watchHealth(wasUp = true) {
  const up = await call("GET", "/health").then(() => true, () => false);
  at("health").className = up ? "up" : "down";
  at("health").textContent = up ? "all services answer" : "not every service answers";
  if (up && !wasUp && hasSession()) fill();
  setTimeout(watchHealth, up ? LOOK_MS : LOOK_AGAIN_MS, up);
}

function open() {
  const inside = hasSession();
  at("door").hidden = inside;
  at("desk").hidden = at("leave").hidden = !inside;
  at("who").textContent = "";
  at(inside ? "question" : "email").focus();
  if (inside) fill();
}

// Each part shows what it can: one that fails is filled when the services are back.
function fill() {
  call("GET", "/v1/me").then((me) => { at("who").textContent = me.user.email; }, () => {});
  documents.showDocuments();
  talk.showPast();
}

function showDoorAgain() {
  talk.startAnew();
  at("documents").replaceChildren();
  open();
  at("enter-error").textContent = "Your session is over. Log in again.";
}

function askForCode() {
  at("by-code").hidden = false;
  at("code").focus();
}

at("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  at("enter-error").textContent = "";
  await enter(event.submitter.value, form).then((inside) => inside ? open() : askForCode(), (error) => {
    at("enter-error").textContent = error.message;
  });
});
// Enter would press the form's first button, which wants a password.
at("code").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  at("enter").requestSubmit(at("verify-code"));
});
at("leave").addEventListener("click", async () => { await leave(); location.reload(); });
window.addEventListener("session-ended", showDoorAgain);
documents.listen();
talk.listen();
watchHealth();
open();
