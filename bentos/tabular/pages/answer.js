// The answer: what the model predicts, and how sure it is of that.
import { at, make } from "./elements.js";
import { draw } from "./line.js";
import { decimals, figure, percent, within, words } from "./notation.js";

export let shown = null;

export function placeholder() {
  at("answer").replaceChildren(make("p", { class: "soft" }, "Press Predict, and the model's answer appears here."));
}

export function reveal(said, card, milliseconds) {
  const [row] = said.predictions;
  const labelled = Object.hasOwn(row, "probabilities");
  shown = { row, said, card };
  at("answer").className = "";
  const parts = labelled ? classes(shown) : quantity(shown);
  at("answer").replaceChildren(...parts, receipt(shown, milliseconds));
  redraw();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  at("result").scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}

// Drawn anew when its room changes.
export function redraw() {
  const room = at("line");
  if (room) draw(room, shown);
}

function quantity({ row, said, card }) {
  const size = row.interval ? row.interval[1] - row.interval[0] : Math.abs(row.prediction) / 1000;
  const places = decimals(size);
  const value = make("data", { value: row.prediction }, figure(row.prediction, places));
  const parts = [
    make("p", { class: "of" }, words(card.output.name)),
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

function classes({ row, said, card }) {
  const titles = Object.fromEntries(card.output.labels.map(({ value, title }) => [value, title]));
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
    make("p", { class: "of" }, words(card.output.name)),
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

function receipt({ row, said, card }, milliseconds) {
  const beside = said.model_version === card.challenger?.version ? ", tried beside the champion" : "";
  const facts = [
    ["Model version", make("span", {}, `${said.model_version}${beside}`)],
    ["Answered in", make("span", {}, `${figure(milliseconds, milliseconds < 10 ? 1 : 0)} ms, there and back`)],
    ["Request id", make("code", {}, said.request_id)],
    ["Prediction id", make("code", {}, row.prediction_id)],
  ];
  const rows = facts.flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, value)]);
  return make("dl", { class: "receipt" }, ...rows);
}

export function stale() {
  if (!shown || at("answer").classList.contains("stale")) return;
  at("answer").classList.add("stale");
  at("answer").prepend(make("p", { class: "stale-words" }, "Something has changed since. Press Predict again."));
}
