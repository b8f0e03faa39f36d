// Keeps the page true: parts that change come as events and are put in place, element by element,
// so that focus, selection and scrolling stay. Changes are asked for with the token.
"use strict";

const byId = (id) => document.getElementById(id);
const said = byId("said");
const link = byId("link");
const pause = byId("pause");
const token = byId("token");
const KEY = "weighbridge-token";

document.documentElement.classList.add("has-script");

// --- What changes

// The element as it comes, with what it holds. Whatever runs in it is forbidden by the policy.
function parsed(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content;
}

// Makes the children of `old` those of `fresh`, and keeps those that are the same.
function morph(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) if (child.id) keyed.set(child.id, child);
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    let same = next.id ? keyed.get(next.id) : at;
    if (same && !(same.nodeType === next.nodeType && same.nodeName === next.nodeName)) same = null;
    if (same && !next.id && same.id) same = null;
    if (!same) {
      old.insertBefore(next, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else old.insertBefore(same, at);
    if (same.isEqualNode(next)) continue;
    if (same.nodeType === Node.ELEMENT_NODE) {
      attributes(same, next);
      morph(same, next);
    } else {
      same.data = next.data;
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function attributes(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

// --- The stream

let stream = null;
let paused = false;
let heard = 0;
let lost = 0;

function say(kind, words) {
  link.className = "link " + kind;
  if (link.textContent !== words) link.textContent = words;
}

function open() {
  if (stream || paused || document.hidden) return;
  stream = new EventSource("/events");
  stream.addEventListener("parts", (event) => {
    const parts = JSON.parse(event.data);
    for (const [id, html] of Object.entries(parts)) {
      const part = byId(id);
      if (part) morph(part, parsed(html));
    }
    document.body.dataset.frames = String(Number(document.body.dataset.frames || 0) + 1);
    heard = Date.now();
    lost = 0;
    say("good", "live");
  });
  stream.addEventListener("error", () => {
    lost = lost || Date.now();
    // A refusal ends the stream for good: it is asked for again by hand.
    if (stream && stream.readyState === EventSource.CLOSED) {
      close();
      setTimeout(open, 5000);
    }
  });
}

function close() {
  if (stream) stream.close();
  stream = null;
}

function look() {
  if (paused) say("warn", "paused");
  else if (lost) say("bad", "no connection for " + Math.round((Date.now() - lost) / 1000) + " s");
  else if (heard && 5000 < Date.now() - heard) {
    say("bad", "nothing heard for " + Math.round((Date.now() - heard) / 1000) + " s");
  }
}

function togglePause() {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
  if (paused) close();
  else open();
  look();
}

// Nobody sees it: it costs nothing.
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", open);
pause.addEventListener("click", togglePause);
setInterval(look, 1000);
say("", "connecting");
open();

// --- Changes

if (token) {
  token.value = sessionStorage.getItem(KEY) || "";
  token.addEventListener("input", () => sessionStorage.setItem(KEY, token.value));
  byId("key").addEventListener("submit", (event) => event.preventDefault());
}

let saying = 0;
function tell(kind, words) {
  said.className = kind;
  said.textContent = words;
  clearTimeout(saying);
  saying = setTimeout(() => (said.className = ""), 6000);
}

function headers(more) {
  return token && token.value ? { ...more, authorization: "Bearer " + token.value } : more;
}

async function change(button) {
  const { post, ask, number } = button.dataset;
  let { body } = button.dataset;
  const path = post || button.dataset.delete;
  // One that is disabled would lose the focus.
  if (button.hasAttribute("aria-busy")) return;
  if (number) {
    const text = window.prompt(ask, button.dataset.now);
    if (text === null) return;
    if (!Number.isFinite(Number.parseFloat(text))) return tell("bad", "`" + text + "` is no number");
    body = JSON.stringify({ ...JSON.parse(body), [number]: Number(text) });
  } else if (ask && !window.confirm(ask)) return;
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(path, {
      method: post ? "POST" : "DELETE",
      headers: headers(body ? { "content-type": "application/json" } : {}),
      body,
    });
    if (answer.ok) {
      tell("good", button.getAttribute("aria-label") + ": done");
    } else {
      const problem = await answer.json().catch(() => ({}));
      tell("bad", answer.status + ": " + (problem.detail || answer.statusText));
      if (answer.status === 401 && token) token.focus();
    }
  } catch (error) {
    tell("bad", "no answer: " + error.message);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-post], button[data-delete]");
  if (button) change(button);
});

// --- Explain

const form = byId("explain");
const file = byId("file");
const drop = byId("drop");
const chosen = byId("chosen");
const explained = byId("explained");
let body = null;

function choose(one) {
  body = one || null;
  chosen.textContent = body ? body.name + ", " + body.size + " bytes" : "no body";
  if (body && byId("method").value === "GET") byId("method").value = "POST";
}

file.addEventListener("change", () => choose(file.files[0]));
for (const kind of ["dragenter", "dragover"]) {
  form.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
form.addEventListener("dragleave", () => drop.classList.remove("over"));
form.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  choose(event.dataTransfer.files[0]);
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const method = byId("method").value;
  const target = byId("target").value.trim().replace(/^\/*/, "/");
  const host = byId("host").value.trim();
  const more = host ? { "x-forwarded-host": host } : {};
  if (body && method === "GET") return tell("bad", "GET has no body: choose another method");
  try {
    const answer = await fetch("/explain" + target, { method, headers: more, body: body || undefined });
    explained.textContent = await answer.text();
    explained.className = answer.ok ? "" : "bad";
  } catch (error) {
    explained.textContent = "no answer: " + error.message;
    explained.className = "bad";
  }
  explained.hidden = false;
  explained.focus();
});

// --- Keys

document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (at.matches("input, select, textarea")) {
    if (event.key === "Escape") at.blur();
    return;
  }
  const sections = document.querySelectorAll("section.card");
  const section = sections[Number(event.key) - 1];
  if (section) {
    section.scrollIntoView();
    section.focus({ preventScroll: true });
  } else if (event.key === "/") {
    byId("target").focus();
  } else if (event.key === "p") {
    togglePause();
  } else {
    return;
  }
  event.preventDefault();
});
