// What serves: asked for again and again, and shown.
import { demand, keep, stored } from "./access.js";
import { placeholder, shown, stale } from "./answer.js";
import { at } from "./elements.js";
import { about } from "./facts.js";
import { clear } from "./faults.js";
import { build, values } from "./form.js";
import { words } from "./notation.js";
import { rewrite } from "./request.js";
import { call } from "./service.js";

const LOOKS = { ready: 15_000, waiting: 3_000, silent: 5_000 };

export let card = null;
let timer = 0;
let loading = null;

export function load() {
  loading ??= look().finally(() => { loading = null; });
  return loading;
}

export function pause() {
  clearTimeout(timer);
}

async function look() {
  pause();
  let next = LOOKS.silent;
  try {
    const answer = await call("./", { headers: { accept: "application/json" } });
    next = taken(answer);
  } catch {
    silent("The service does not answer", "It may be starting anew, or the network is away.");
  }
  if (next) timer = setTimeout(load, next);
}

// Shows what the service says of itself; returns after how many milliseconds to ask again, 0 for not at all.
function taken(answer) {
  if (answer.status === 401 || answer.status === 403) return ask();
  if (answer.status === 429) {
    const seconds = Number(answer.header("retry-after")) || 5;
    silent("There are too many requests at the moment", "The service limits how many it takes in a second.");
    return 1000 * seconds;
  }
  if (answer.status !== 200 || !answer.said) {
    silent("The service cannot say what it serves", `It answered with status ${answer.status}.`);
    return LOOKS.silent;
  }
  at("access").hidden = true;
  if (!answer.said.ready) {
    card = null;
    name(words(answer.said.use_case), "", null);
    wait("No release is loaded yet", answer.said.reason, LOOKS.waiting);
    return LOOKS.waiting;
  }
  show(answer.said);
  return LOOKS.ready;
}

export function use(key) {
  keep(key);
  at("forget").hidden = !key;
}

export function ask() {
  for (const id of ["desk", "request", "facts", "waiting"]) at(id).hidden = true;
  const refused = Boolean(stored());
  at("key").setAttribute("aria-invalid", String(refused));
  use("");
  demand(refused);
  return 0;
}

// A form in use stays, with a word above it; an empty page says the same in full.
function silent(title, reason) {
  if (card) at("notice").textContent = `${title}. ${reason} Looking again every few seconds.`;
  else wait(title, reason, LOOKS.silent);
}

function wait(title, reason, milliseconds) {
  for (const id of ["desk", "request", "facts"]) at(id).hidden = true;
  at("notice").textContent = "";
  const told = { title, reason, next: `Looking again every ${milliseconds / 1000} seconds.` };
  // Written only where it differs: what is written anew is read aloud anew.
  for (const [part, text] of Object.entries(told)) {
    if (at(`waiting-${part}`).textContent !== text) at(`waiting-${part}`).textContent = text;
  }
  at("waiting").hidden = false;
}

function name(title, description, version) {
  document.title = title;
  at("title").textContent = title;
  at("description").textContent = description;
  at("version").hidden = version === null;
  at("version").textContent = `version ${version}`;
}

function show(next) {
  const before = card;
  const same = JSON.stringify(before) === JSON.stringify(next);
  card = next;
  for (const id of ["desk", "request", "facts"]) at(id).hidden = false;
  at("waiting").hidden = true;
  if (before && before.version !== card.version) {
    at("notice").textContent = `Version ${card.version} has taken over from version ${before.version}. ` +
      "What you typed is still there.";
    if (shown?.said.model_version !== card.version) stale();
  } else if (!same || at("notice").textContent.includes("Looking again")) at("notice").textContent = "";
  if (same) return;
  name(card.title, card.description, card.version);
  if (!before || asked(before) !== asked(card)) {
    build(card, before ? Object.fromEntries(values()) : {});
    clear();
  }
  about(card);
  if (!before) placeholder();
  rewrite();
}

const asked = ({ inputs, limits, example }) => JSON.stringify([inputs, limits, example]);
