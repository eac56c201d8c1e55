// The service card: a form made from the contract of what serves, its answers, and what there is to know of the model.
// What comes from the service is put in as text, never as markup.
"use strict";

const STORED = "sluice-key";
const PATIENCE = 30_000;
const LOOKS = { ready: 15_000, waiting: 3_000, silent: 5_000 };
const SVG = "http://www.w3.org/2000/svg";
const NAMES = { r2: "R²", rmse: "RMSE", mae: "MAE", mape: "MAPE", roc_auc: "ROC AUC", f1: "F1" };
const SOURCES = { registry: "Model registry", object_store: "Object store", baked: "Its own image" };

const at = (id) => document.getElementById(id);
const state = { card: null, fields: [], key: stored(), keyed: false, timer: 0, shown: null, loading: null };

// ---- Small things

function make(tag, attributes = {}, ...children) {
  const node = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

function stored() {
  // A browser that keeps nothing still works until it is reloaded.
  try { return sessionStorage.getItem(STORED) || ""; } catch { return ""; }
}

function keep(key) {
  state.key = key;
  at("forget").hidden = !key;
  try { key ? sessionStorage.setItem(STORED, key) : sessionStorage.removeItem(STORED); } catch { /* see above */ }
}

const capital = (text_) => text_.charAt(0).toUpperCase() + text_.slice(1);
const words = (name_) => capital(name_.replaceAll("_", " ").trim() || name_);
const count = (number, noun) => `${figure(number, 0)} ${noun}${number === 1 ? "" : "s"}`;
const moment = (text) => `${new Date(text).toISOString().slice(0, 16).replace("T", " ")} UTC`;

function figure(number, decimals) {
  const size = Math.abs(number);
  if (size >= 1e15) return number.toExponential(4);
  return new Intl.NumberFormat("en", { maximumFractionDigits: decimals }).format(number).replace("-", "−");
}

// As many decimals as can matter beside something of this size.
const decimals = (size) => (size > 0 ? Math.min(15, Math.max(0, 2 - Math.floor(Math.log10(size)))) : 2);

function percent(share) {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  if (share < 1 && share > 0.999) return "> 99.9 %";
  return `${figure(100 * share, 1)} %`;
}

const within = (unit) => (unit ? ` ${unit}` : "");

// ---- The service

async function call(path, options = {}) {
  const headers = { ...options.headers, ...(state.key ? { "x-api-key": state.key } : {}) };
  const signal = AbortSignal.timeout(PATIENCE);
  const answer = await fetch(new URL(path, document.baseURI), { cache: "no-store", ...options, headers, signal });
  let said = null;
  try { said = await answer.json(); } catch { /* Not ours: a proxy's page. */ }
  return { status: answer.status, header: (name_) => answer.headers.get(name_), said };
}

function load() {
  state.loading ??= look().finally(() => { state.loading = null; });
  return state.loading;
}

async function look() {
  clearTimeout(state.timer);
  let next = LOOKS.silent;
  try {
    const answer = await call("./", { headers: { accept: "application/json" } });
    next = taken(answer);
  } catch {
    silent("The service does not answer", "It may be starting anew, or the network is away.");
  }
  if (next) state.timer = setTimeout(load, next);
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
  if (state.key) state.keyed = true;
  at("access").hidden = true;
  if (!answer.said.ready) {
    state.card = null;
    name(words(answer.said.use_case), "", null);
    wait("No release is loaded yet", answer.said.reason, LOOKS.waiting);
    return LOOKS.waiting;
  }
  show(answer.said);
  return LOOKS.ready;
}

function ask() {
  state.keyed = true;
  for (const id of ["desk", "request", "facts", "waiting"]) at(id).hidden = true;
  const refused = Boolean(state.key);
  at("key-fault").textContent = refused ? "The service does not accept this key. Ask who runs it for a valid one." : "";
  at("key").setAttribute("aria-invalid", String(refused));
  keep("");
  at("access").hidden = false;
  at("key").focus();
  return 0;
}

// A form in use stays, with a word above it; an empty page says the same in full.
function silent(title, reason) {
  if (state.card) at("notice").textContent = `${title}. ${reason} Looking again every few seconds.`;
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

// ---- What serves

function show(card) {
  const before = state.card;
  const same = JSON.stringify(before) === JSON.stringify(card);
  state.card = card;
  for (const id of ["desk", "request", "facts"]) at(id).hidden = false;
  at("waiting").hidden = true;
  if (before && before.version !== card.version) {
    at("notice").textContent = `Version ${card.version} has taken over from version ${before.version}. ` +
      "What you typed is still there.";
    if (state.shown?.said.model_version !== card.version) stale();
  } else if (!same || at("notice").textContent.includes("Looking again")) at("notice").textContent = "";
  if (same) return;
  name(card.title, card.description, card.version);
  if (!before || asked(before) !== asked(card)) build(card, before ? Object.fromEntries(values()) : {});
  about(card);
  if (!before) placeholder();
  rewrite();
}

const asked = (card) => JSON.stringify([card.inputs, card.limits, card.example]);

function build(card, typed) {
  state.fields = card.inputs.map((input, index) => field(input, index, card.limits));
  at("fields").replaceChildren(...state.fields.map((one) => one.node));
  at("fields").className = state.fields.length > 15 ? "many" : "";
  fill({ ...card.example, ...typed });
  clear();
}

// One input: a label, a control, what may be in it, and a place for what is wrong with it.
function field(input, index, limits) {
  const optional = input.nullable && limits.missing === "impute";
  const closed = input.categories && limits.unseen_category === "reject";
  const kind = input.type === "category" ? (closed ? choice : text) : input.type === "boolean" ? choice : number;
  const options = input.type === "boolean" ? [["true", "Yes"], ["false", "No"]]
    : (input.categories || []).map((value) => [value, value]);
  const id = `field-${index}`;
  const { control, extra } = kind(input, id, options, optional);
  control.id = id;
  control.name = input.name;
  control.setAttribute("aria-describedby", `hint-${index} fault-${index}`);
  if (!optional) control.setAttribute("aria-required", "true");
  const hints = [input.description, range(input), optional ? "may be left empty" : ""].filter(Boolean);
  const hint = make("p", { id: `hint-${index}`, class: "hint" }, capital(hints.join("; ")));
  const fault = make("p", { id: `fault-${index}`, class: "fault" });
  const label = make("label", { for: id }, words(input.name), " ", input.unit ? make("small", {}, input.unit) : null);
  const node = make("div", { class: "field" }, label, control, make("div", {}, hint, fault));
  if (extra) node.lastChild.append(extra);
  control.addEventListener("input", () => { mark(one, ""); rewrite(); stale(); });
  const one = { input, control, fault, optional, node };
  return one;
}

function number(input) {
  const whole = input.type === "integer";
  // The keys for numbers lack a minus on some phones.
  const keys = input.minimum !== null && input.minimum >= 0 ? (whole ? "numeric" : "decimal") : null;
  const limits = { min: input.minimum, max: input.maximum, step: whole ? "1" : "any" };
  return { control: make("input", { type: "number", inputmode: keys, autocomplete: "off", ...limits }) };
}

function choice(input, id, options, optional) {
  const empty = make("option", { value: "" }, optional ? "Not known" : "Choose…");
  return { control: make("select", {}, empty, ...options.map(([value, label]) => make("option", { value }, label))) };
}

function text(input, id, options) {
  const control = make("input", { type: "text", autocomplete: "off", spellcheck: "false", maxlength: 200 });
  if (!options.length) return { control };
  control.setAttribute("list", `${id}-known`);
  const known = options.map(([value]) => make("option", { value }));
  return { control, extra: make("datalist", { id: `${id}-known` }, ...known) };
}

function range({ minimum, maximum }) {
  const bound = (value) => figure(value, 15);
  if (minimum !== null && maximum !== null) return `${bound(minimum)}\u00a0to\u00a0${bound(maximum)}`;
  if (minimum !== null) return `at least ${bound(minimum)}`;
  return maximum !== null ? `at most ${bound(maximum)}` : "";
}

function fill(instance) {
  for (const { input, control } of state.fields) {
    const value = Object.hasOwn(instance, input.name) ? instance[input.name] : null;
    control.value = value === null ? "" : String(value);
  }
}

// What the form holds, as a request says it: null for what is left empty and may be, nothing for what may not.
function values() {
  return state.fields.flatMap(({ input, control, optional }) => {
    if (control.value !== "") return [[input.name, read(input, control)]];
    return optional ? [[input.name, null]] : [];
  });
}

function read(input, control) {
  if (input.type === "boolean") return control.value === "true";
  return input.type === "category" ? control.value : Number(control.value);
}

// ---- The request

// JSON with room to break a line in.
const body = () => {
  const pairs = values().map((pair) => pair.map((part) => JSON.stringify(part)).join(": "));
  return `{"instances": [{${pairs.join(", ")}}]}`;
};
const quoted = (text_) => `'${text_.replaceAll("'", `'\\''`)}'`;

function rewrite() {
  const lines = [
    `curl -sS ${quoted(new URL("api/v1/predict", document.baseURI).href)}`,
    `-H 'content-type: application/json'`,
    ...(state.keyed ? ['-H "x-api-key: $SLUICE_API_KEY"'] : []),
    `--data-raw ${quoted(body())}`,
  ];
  at("curl").textContent = lines.join(" \\\n  ");
  at("curl-hint").hidden = !state.keyed;
}

async function copy() {
  const said = at("curl").textContent;
  try {
    await navigator.clipboard.writeText(said);
  } catch {
    // Browsers keep the clipboard from pages that came without TLS.
    getSelection().selectAllChildren(at("curl"));
    document.execCommand("copy");
  }
  at("copy").textContent = "Copied";
  setTimeout(() => { at("copy").textContent = "Copy"; }, 2_000);
}

// A browser that follows a link sends no key.
async function carry(event) {
  if (!state.key) return;
  event.preventDefault();
  const answer = await fetch(event.currentTarget.href, { headers: { "x-api-key": state.key } });
  location.assign(URL.createObjectURL(await answer.blob()));
}

async function predict() {
  if (at("predict").getAttribute("aria-disabled") === "true") return;
  clear();
  const odd = state.fields.filter(({ control }) => control.validity.badInput);
  if (odd.length) return accuse(odd.map((one) => ({ field: one, words: "is not a number" })));
  busy(true);
  const started = performance.now();
  try {
    const answer = await call("api/v1/predict", {
      method: "POST", headers: { "content-type": "application/json" }, body: body(),
    });
    told(answer, performance.now() - started);
  } catch {
    const next = "Check your connection and press Predict again. Nothing you typed is lost.";
    complain("The service does not answer", [next]);
  } finally {
    busy(false);
  }
}

function busy(is) {
  at("predict").setAttribute("aria-disabled", String(is));
  at("predict").textContent = is ? "Predicting…" : "Predict";
  at("answer").setAttribute("aria-busy", String(is));
}

function told(answer, milliseconds) {
  const { status, said } = answer;
  follow(answer.header("x-sluice-version"));
  if (status === 200 && said) return reveal(said, milliseconds);
  const id = answer.header("x-request-id");
  const seconds = Number(answer.header("retry-after")) || 0;
  const again = seconds > 1 ? `in ${seconds} seconds` : "in a moment";
  if (status === 401 || status === 403) return ask();
  if (status === 422 && said && said.errors) return accuse(said.errors.map(located), said.title);
  if (status === 429 || status === 503) {
    const why = status === 429 ? "There are too many requests" : "The service is not ready";
    complain(said?.title ?? why, [capital(said?.detail ?? ""), `Press Predict again ${again}.`]);
    return status === 503 ? load() : null;
  }
  const detail = said?.detail ? `${said.title}: ${said.detail}.` : "";
  const trace = id ? `Whoever runs it finds the request by its id, ${id}.` : "";
  complain(`The service answered with status ${status}`, [detail, trace]);
}

// What answered is neither what the card tells of nor what is tried beside it: something new serves.
function follow(version) {
  const { card } = state;
  if (version && card && version !== String(card.version) && version !== String(card.challenger?.version)) load();
}

// ---- Faults

function located(fault) {
  const step = fault.path.replace(/^instances\[0\]/, "");
  let given = step.slice(1);
  // A name that is no identifier is written as JSON, and cut.
  if (step.startsWith("[")) try { given = JSON.parse(step.slice(1, -1)); } catch { given = null; }
  const cut = (name_) => Array.from(name_).slice(0, 80).join("");
  const one = step ? state.fields.find(({ input }) => input.name === given || cut(input.name) === given) : null;
  const allowed = fault.allowed ? `; allowed: ${fault.allowed}` : "";
  return { field: one, path: fault.path, words: `${fault.message}${allowed}` };
}

function accuse(faults, title = "The request breaks the contract") {
  for (const { field: one, words: said } of faults) if (one) mark(one, words(said));
  const items = faults.map(({ field: one, path, words: said }) => {
    if (!one) return make("li", {}, `${path} ${said}`);
    const link = make("a", { href: `#${one.control.id}` }, words(one.input.name));
    link.addEventListener("click", (event) => { event.preventDefault(); one.control.focus(); });
    return make("li", {}, link, ` ${said}`);
  });
  const heading = faults.some((fault) => fault.field) ? `${count(faults.length, "value")} cannot be taken` : title;
  at("faults").replaceChildren(make("h3", {}, heading), make("ul", {}, ...items));
  const first = state.fields.find((one) => faults.some((fault) => fault.field === one));
  if (first) first.control.focus();
  else at("faults").scrollIntoView({ block: "nearest" });
}

function complain(title, lines) {
  at("faults").replaceChildren(make("h3", {}, title), ...lines.filter(Boolean).map((line) => make("p", {}, line)));
  at("faults").scrollIntoView({ block: "nearest" });
}

function mark({ control, fault }, said) {
  fault.textContent = said;
  if (said) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}

function clear() {
  at("faults").replaceChildren();
  for (const one of state.fields) mark(one, "");
}

// ---- The answer

function placeholder() {
  at("answer").replaceChildren(make("p", { class: "soft" }, "Press Predict, and the model's answer appears here."));
}

function reveal(said, milliseconds) {
  const [row] = said.predictions;
  const labelled = Object.hasOwn(row, "probabilities");
  state.shown = { row, said };
  at("answer").className = "";
  const parts = labelled ? classes(row, said) : quantity(row, said);
  at("answer").replaceChildren(...parts, receipt(row, said, milliseconds));
  if (!labelled) line();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  at("result").scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}

function quantity(row, said) {
  const size = row.interval ? row.interval[1] - row.interval[0] : Math.abs(row.prediction) / 1000;
  const places = decimals(size);
  const value = make("data", { value: row.prediction }, figure(row.prediction, places));
  const parts = [
    make("p", { class: "of" }, words(state.card.output.name)),
    make("p", { class: "figure" }, value, " ", make("small", {}, said.unit || "")),
  ];
  if (!row.interval) return [...parts, make("p", { class: "soft" }, "How far it may be off was not measured.")];
  const [low, high] = row.interval.map((end) => figure(end, places));
  const sentence = `Between ${low} and ${high}${within(said.unit)}.`;
  return [
    ...parts,
    make("div", { id: "line" }),
    make("p", { class: "interval" }, `${sentence} ${often("intervals hold the true value", said.level)}`),
  ];
}

// The number line, as wide as there is room; drawn anew when that changes.
function line() {
  const room = at("line");
  if (!room || !state.shown) return;
  const { row: { prediction, interval: [low, high] }, said } = state.shown;
  const width = Math.max(160, room.clientWidth);
  const { minimum, maximum } = state.card.interval || {};
  const margin = 0.3 * (high - low) || Math.abs(prediction) / 10 || 1;
  const from = Math.min(Math.max(low - margin, minimum ?? -Infinity), prediction);
  const to = Math.max(Math.min(high + margin, maximum ?? Infinity), prediction);
  const inset = 12;
  const x = (value) => inset + ((value - from) / (to - from || 1)) * (width - 2 * inset);
  const places = decimals(high - low);
  const [shown, start, end] = [prediction, low, high].map((value) => figure(value, places));
  const label = `The prediction ${shown} on a line, in its interval from ${start} to ${end}${within(said.unit)}`;
  const ticks = steps(from, to, width < 300 ? 3 : 4).flatMap((value) => [
    make("svg:line", { class: "axis", x1: x(value), x2: x(value), y1: 32, y2: 37 }),
    make("svg:text", { x: x(value), y: 51, "text-anchor": anchor(x(value), width) }, figure(value, places)),
  ]);
  room.replaceChildren(make("svg:svg", { width, height: 56, role: "img", "aria-label": label },
    make("svg:line", { class: "axis", x1: x(from), x2: x(to), y1: 32, y2: 32 }),
    ...ticks,
    make("svg:line", { class: "band", x1: x(low), x2: x(high), y1: 15, y2: 15 }),
    make("svg:circle", { class: "point", cx: x(prediction), cy: 15, r: 7 })));
}

const anchor = (x, width) => (x < 32 ? "start" : x > width - 32 ? "end" : "middle");

// Round numbers from one end to the other.
function steps(from, to, about_) {
  const rough = (to - from) / about_;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  if (!Number.isFinite(step) || step <= 0) return [];
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, index) => (first + index) * step);
}

function classes(row, said) {
  const titles = Object.fromEntries(state.card.output.labels.map(({ value, title }) => [value, title]));
  const title = (value) => titles[value] ?? value;
  const ranked = Object.entries(row.probabilities).sort(([, a], [, b]) => b - a);
  const members = row.prediction_set || [];
  const bars = ranked.map(([value, share]) => {
    const label = make("span", {}, title(value));
    if (members.length > 1 && members.includes(value)) label.append(make("small", { class: "pill" }, "in the set"));
    return make("li", { class: value === row.prediction ? "chosen" : null }, label,
      make("span", { class: "number" }, percent(share)),
      make("svg:svg", { "aria-hidden": "true", focusable: "false" },
        make("svg:rect", { class: "track", width: "100%", height: "100%" }),
        make("svg:rect", { class: "share", width: `${100 * share}%`, height: "100%" })));
  });
  return [
    make("p", { class: "of" }, words(state.card.output.name)),
    make("p", { class: "figure" }, make("data", { value: row.prediction }, row.prediction_label)),
    make("p", { class: "set" }, set(members.map(title), said.level)),
    make("ol", { class: "classes", role: "list", "aria-label": "Probability of every class" }, ...bars),
  ];
}

function set(members, level) {
  if (!members.length) return "Which other classes are possible was not measured.";
  const all = members.length === 1 ? members[0] : `${members.slice(0, -1).join(", ")} or ${members.at(-1)}`;
  return `Prediction set: ${all}. ${often("sets hold the true class", level)}`;
}

const often = (what, level) => `Such ${what} ${percent(level)} of the time.`;

function receipt(row, said, milliseconds) {
  const beside = said.model_version === state.card.challenger?.version ? ", tried beside the champion" : "";
  const facts = [
    ["Model version", make("span", {}, `${said.model_version}${beside}`)],
    ["Answered in", make("span", {}, `${figure(milliseconds, milliseconds < 10 ? 1 : 0)} ms, there and back`)],
    ["Request id", make("code", {}, said.request_id)],
    ["Prediction id", make("code", {}, row.prediction_id)],
  ];
  const rows = facts.flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, value)]);
  return make("dl", { class: "receipt" }, ...rows);
}

function stale() {
  if (!state.shown || at("answer").classList.contains("stale")) return;
  at("answer").classList.add("stale");
  at("answer").prepend(make("p", { class: "stale-words" }, "Something has changed since. Press Predict again."));
}

// ---- The model

function about(card) {
  const { lineage, limits } = card;
  const gap = { reject: "refused", impute: "filled in by the model" }[limits.missing];
  const odd = { reject: "refused", most_frequent: "taken for the most frequent one", ignore: "ignored" };
  const facts = [
    fact("Serving", `Version ${card.version}`, `since ${moment(card.loaded_at)}`),
    fact("Loaded from", SOURCES[card.source] ?? card.source, `following the champion: ${card.reason}`,
      card.reason !== "ok"),
    fact("Trained", moment(card.trained_at), `${words(card.family)}, ${card.task}`),
    card.interval && fact("Interval", `${percent(card.interval.level)}`,
      `held ${percent(card.interval.coverage)} of the rows it had not seen`),
    card.prediction_set && fact("Prediction set", `${percent(card.prediction_set.level)}`,
      `held ${percent(card.prediction_set.coverage)} of the rows it had not seen, ` +
      `with ${figure(card.prediction_set.mean_size, 2)} of ${card.output.labels.length} classes on average`),
    card.challenger && challenger(card.challenger),
    fact("One request", `Up to ${count(limits.max_instances, "row")}`,
      `Missing values are ${gap}, unknown fields ${limits.unknown_fields === "reject" ? "refused" : "ignored"}, ` +
      `unseen categories ${odd[limits.unseen_category]}`),
  ].filter(Boolean);
  const origins = { "MLflow run": lineage.run_id, Snapshot: lineage.snapshot_id, "Git commit": lineage.git_commit,
    "Spec SHA-256": lineage.spec_sha256, "Training code SHA-256": lineage.code_sha256,
    "Bundle SHA-256": card.bundle_sha256, "Serving code SHA-256": card.runtime_sha256 };
  const known = Object.entries(origins).filter(([, value]) => value);
  const left = make("div", {},
    make("dl", {}, ...facts),
    details("Where it comes from", known),
    details("Libraries it was made with", Object.entries(card.libraries)));
  at("about").replaceChildren(left, metrics(card));
}

function details(title, entries) {
  const rows = entries.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, make("code", {}, value))));
  return make("details", {}, make("summary", {}, title), make("dl", {}, ...rows));
}

const fact = (term, value, detail, unsure = false) => make("div", {}, make("dt", {}, term),
  make("dd", { class: unsure ? "unsure" : null }, make("strong", {}, value), detail ? make("span", {}, detail) : null));

function challenger({ version, share, reason }) {
  const part = share > 0 ? `answers ${percent(share)} of the requests` : "in shadow: its answers are only logged";
  const value = version === null ? "None in use" : `Version ${version}`;
  return fact("Challenger", value, version === null ? reason : part, version === null);
}

function metrics(card) {
  const kept = Object.keys(card.out_of_fold).length > 0;
  const cell = (name_, value) => {
    const unit = ["rmse", "mae"].includes(name_) ? within(card.output.unit) : "";
    return make("td", {}, value === undefined ? "" : `${figure(value, decimals(Math.abs(value) / 10))}${unit}`);
  };
  const head = ["Measure", "Held-out rows", ...(kept ? ["Out of fold"] : [])];
  const rows = Object.entries(card.metrics).map(([name_, value]) => make("tr", {},
    make("th", { scope: "row" }, NAMES[name_] ?? words(name_)), cell(name_, value),
    kept ? cell(name_, card.out_of_fold[name_]) : null));
  return make("table", {}, make("caption", {}, "How good it is on rows it never learned from"),
    make("thead", {}, make("tr", {}, ...head.map((term) => make("th", { scope: "col" }, term)))),
    make("tbody", {}, ...rows));
}

// ---- What people do

at("form").addEventListener("submit", (event) => { event.preventDefault(); predict(); });
at("form").addEventListener("reset", (event) => {
  event.preventDefault();
  fill(state.card.example);
  clear();
  rewrite();
  stale();
});
at("access").addEventListener("submit", (event) => {
  event.preventDefault();
  keep(at("key").value.trim());
  at("key").value = "";
  load();
});
at("forget").addEventListener("click", () => { keep(""); location.reload(); });
at("copy").addEventListener("click", copy);
for (const link of document.querySelectorAll("a[data-keyed]")) link.addEventListener("click", carry);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(state.timer);
  else if (at("access").hidden) load();
});
new ResizeObserver(line).observe(at("result"));
keep(state.key);
load();
