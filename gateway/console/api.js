// The HTTP side: tokens, JSON calls, uploads and the event stream of an answer.

const KEPT = "docuchat.refresh_token";
// Shows at the next log-in that this browser has logged in before; it opens nothing.
const DEVICE = "docuchat.device_token";
const FIELDS = {
  "login": ["email", "password", "device_token"],
  "sign-up": ["email", "password"],
  "request-code": ["email", "device_token"],
  "verify-code": ["email", "code", "device_token"],
};
let accessToken = "";
let refreshing = null;

export class ApiError extends Error {
  constructor(status, body) {
    const info = body?.details?.find((detail) => detail.reason);
    const file = info?.metadata?.filename;
    super((file ? `${file}: ` : "") + (body?.message || `The gateway answered ${status}.`));
    this.status = status;
    this.reason = info?.reason || "";
  }
}

export function hasSession() {
  return Boolean(sessionStorage.getItem(KEPT));
}

// Returns whether somebody is in now; a code that was asked for is only on its way.
export async function enter(action, form) {
  const device_token = localStorage.getItem(DEVICE) || "";
  const known = { email: form.get("email"), password: form.get("password"), code: form.get("code").trim(), device_token };
  const body = Object.fromEntries(FIELDS[action].map((name) => [name, known[name]]));
  const { tokens } = await call("POST", `/v1/auth/${action}`, body);
  if (tokens) keep(tokens);
  return Boolean(tokens);
}

export async function leave() {
  const refresh_token = sessionStorage.getItem(KEPT);
  forget();
  if (refresh_token) await call("POST", "/v1/auth/logout", { refresh_token }).catch(() => {});
}

function keep(tokens) {
  accessToken = tokens.access_token;
  sessionStorage.setItem(KEPT, tokens.refresh_token);
  if (tokens.device_token) localStorage.setItem(DEVICE, tokens.device_token);
}

function forget() {
  accessToken = "";
  sessionStorage.removeItem(KEPT);
}

// Several calls may find the token expired at once; a refresh token is good for one of them.
function refresh() {
  refreshing ??= call("POST", "/v1/auth/refresh", { refresh_token: sessionStorage.getItem(KEPT) })
    .then((answer) => keep(answer.tokens))
    .catch((error) => {
      // Only a refusal ends the session: a gateway that restarts must not log anyone out.
      if (error.status === 401) end();
      throw error;
    })
    .finally(() => { refreshing = null; });
  return refreshing;
}

function end() {
  forget();
  window.dispatchEvent(new Event("session-ended"));
}

async function send(method, path, init = {}, retried = false) {
  const open = path.startsWith("/v1/auth/") || path === "/health";
  // After a reload only the refresh token is left.
  if (!open && !accessToken && hasSession()) await refresh();
  const headers = { ...init.headers, ...(accessToken ? { authorization: `Bearer ${accessToken}` } : {}) };
  const response = await reach(path, { ...init, method, headers });
  if (response.ok) return response;
  if (response.status === 401 && !retried && !open && hasSession()) {
    await refresh();
    return send(method, path, init, true);
  }
  throw new ApiError(response.status, await response.json().catch(() => null));
}

async function reach(path, init) {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("DocuChat does not answer. Check that it is running, then try again.", { cause: error });
  }
}

export async function call(method, path, body) {
  const init = body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {};
  return (await send(method, path, init)).json();
}

export async function upload(files) {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  return (await send("POST", "/v1/documents", { body: form })).json();
}

// Yields the events of one answer as they arrive; the signal ends it on both sides.
export async function* ask(question, conversation_id, signal) {
  const body = JSON.stringify(conversation_id ? { question, conversation_id } : { question });
  const response = await send("POST", "/v1/ask", { body, signal, headers: { "content-type": "application/json" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer += value;
    const parts = buffer.split(/\r?\n\r?\n/);
    buffer = parts.pop();
    for (const part of parts) {
      const data = part.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
      if (data.trim()) yield JSON.parse(data);
    }
  }
}
