// The number line: a prediction in its interval.
import { make } from "./elements.js";
import { decimals, figure, within } from "./notation.js";

// As wide as there is room.
export function draw(room, { row: { prediction, interval: [low, high] }, said, card }) {
  const width = Math.max(160, room.clientWidth);
  const { minimum, maximum } = card.interval || {};
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
function steps(from, to, about) {
  const rough = (to - from) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  if (!Number.isFinite(step) || step <= 0) return [];
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, index) => (first + index) * step);
}
