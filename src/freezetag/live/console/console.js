// Keeps the console fresh: on news it asks for the same page again and takes over what differs.
// It renders nothing itself and decides nothing. All of the page works without it.
"use strict";

const root = document.documentElement;
const at = (id) => document.getElementById(id);
const UNREACHED = "NOT SENT: the server cannot be reached. Still trying. Use the other ways now.";

// The keys of siblings that must not be mistaken for one another.
const key = (node) => (node.id || (node.dataset && node.dataset.key)) ?? "";
const alike = (a, b) => a.nodeName === b.nodeName && !key(a) && !key(b);

/** Makes `old` what `fresh` is, keeping nodes, and with them focus, typed text and open parts. */
function sync(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.hasAttribute("data-keep")) return;
  for (const { name } of [...old.attributes])
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const chosen = old.nodeName === "SELECT" ? old.value : null;
  const known = new Map([...old.childNodes].filter(key).map((node) => [key(node), node]));
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    let match = key(child) ? known.get(key(child)) : place && alike(place, child) && place;
    if (!match) {
      old.insertBefore(document.importNode(child, true), place);
      continue;
    }
    if (match === place) place = place.nextSibling;
    else old.insertBefore(match, place);
    sync(match, child);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
  if (chosen !== null) {
    old.value = chosen;
    if (old.selectedIndex < 0) old.selectedIndex = 0; // what was chosen is gone: the widest
  }
}

// One request at a time; news meanwhile asks once more.
let asking = false;
let again = false;

async function look() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  const begun = performance.now();
  try {
    const options = { cache: "no-store", signal: AbortSignal.timeout(3000) };
    const answer = await fetch(location.pathname, options);
    if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // Nothing to say: without a fresh page the stylesheet turns everything to "unknown".
  } finally {
    asking = false;
    if (again) {
      again = false;
      setTimeout(look, performance.now() - begun); // never more than half of the server's time
    }
  }
}

function take(fresh) {
  const told = Number(fresh.body.dataset.at);
  if (!(told > Number(document.body.dataset.at))) return; // an old page, sent again
  const parts = [...document.querySelectorAll("[data-live]")];
  const found = parts.map((part) => fresh.getElementById(part.id));
  if (!found.every(Boolean)) return location.reload(); // another page: the right to see has ended
  const focused = document.activeElement;
  const scope = focused.dataset.scope ?? "";
  parts.forEach((part, n) => sync(part, found[n]));
  // A row that was moved, or replaced since its agent has a new incarnation, has lost the focus.
  const row = [...document.querySelectorAll("#agents li")].find((li) => li.dataset.scope === scope);
  if (focused !== document.activeElement) (focused.isConnected ? focused : row)?.focus();
  document.title = fresh.title;
  document.body.dataset.at = told;
  name();
  root.dataset.beat = root.dataset.beat === "a" ? "b" : "a"; // restarts the fading
}

function watch() {
  const stream = new EventSource(document.body.dataset.watch);
  stream.addEventListener("status", look);
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(watch, 1000);
  });
}

// The button.

function name() {
  const scope = at("scope");
  const chosen = scope.selectedOptions ? scope.selectedOptions[0].textContent : scope.value;
  if (at("stops").textContent !== chosen) at("stops").textContent = chosen;
}

function say(tone, text) {
  at("said").className = `told ${tone}`;
  at("said").textContent = `${new Date().toISOString().slice(11, 19)} ${text}`;
}

async function press(fields) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  fields.id = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  say("sent", "Sent; no answer yet.");
  for (;;) {
    // The same id each time, so that trying again is the same press.
    try {
      const answer = await fetch("/press", {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify(fields),
        signal: AbortSignal.timeout(3000),
      });
      const told = await answer.json();
      if (!answer.ok) return say("loud", `NOT PRESSED: ${told.error}`);
      const agents = `${told.agents} ${told.agents === 1 ? "agent" : "agents"}`;
      const whom = told.understood === false ? `not understood, so everyone: ${agents}` : agents;
      if (told.state === "durable") return say("durable", `Pressed, durable: ${whom}.`);
      return say("loud", `${whom} ${told.state}. Press another way too.`);
    } catch {
      say("loud", UNREACHED);
      await new Promise((done) => setTimeout(done, 500));
    }
  }
}

// Keys move and choose; none of them presses.

function move(step) {
  const rows = [...document.querySelectorAll("#agents li")];
  const now = rows.indexOf(document.activeElement.closest("#agents li"));
  const next = rows[now < 0 ? (step > 0 ? 0 : rows.length - 1) : now + step];
  if (next) next.focus();
}

function choose(scope) {
  if (at("scope").nodeName !== "SELECT") return;
  at("scope").value = scope;
  if (at("scope").selectedIndex < 0) at("scope").selectedIndex = 0;
  name();
}

const KEYS = {
  b: () => at("stop").focus(),
  j: () => move(1),
  k: () => move(-1),
  f: () => choose("fleet"),
  r: () => location.assign("/reset"),
  "?": () => at("help").showModal(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || at("help").open) return;
  if (event.target.closest("input, select, textarea")) return;
  const row = event.target.matches("#agents li") ? event.target : null;
  if (event.key === "Enter" && row) choose(row.dataset.scope);
  else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key]();
  else return;
  event.preventDefault();
}

if (at("press")) {
  root.classList.add("js");
  root.dataset.beat = "a";
  document.addEventListener("keydown", onKey);
  at("scope").addEventListener("input", name);
  at("press").addEventListener("submit", (event) => {
    event.preventDefault();
    press(Object.fromEntries(new FormData(at("press"))));
  });
  name();
  if (document.body.dataset.watch) watch();
  else setInterval(look, 1000); // no right to the stream, but whether the server is there
}

for (const input of document.querySelectorAll("input[data-into]")) {
  root.classList.add("js");
  input.addEventListener("change", async () => {
    if (input.files[0]) at(input.dataset.into).value = await input.files[0].text();
  });
}
