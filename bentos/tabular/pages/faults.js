// What is wrong with a request, told above the form and at its fields.
import { at, make } from "./elements.js";
import { fields, mark } from "./form.js";
import { count, words } from "./notation.js";

export function located(fault) {
  const step = fault.path.replace(/^instances\[0\]/, "");
  let given = step.slice(1);
  // A name that is no identifier is written as JSON, and cut.
  if (step.startsWith("[")) try { given = JSON.parse(step.slice(1, -1)); } catch { given = null; }
  const cut = (name) => Array.from(name).slice(0, 80).join("");
  const one = step ? fields.find(({ input }) => input.name === given || cut(input.name) === given) : null;
  const allowed = fault.allowed ? `; allowed: ${fault.allowed}` : "";
  return { field: one, path: fault.path, words: `${fault.message}${allowed}` };
}

export function accuse(faults, title = "The request breaks the contract") {
  for (const { field: one, words: said } of faults) if (one) mark(one, words(said));
  const items = faults.map(({ field: one, path, words: said }) => {
    if (!one) return make("li", {}, `${path} ${said}`);
    const link = make("a", { href: `#${one.control.id}` }, words(one.input.name));
    link.addEventListener("click", (event) => { event.preventDefault(); one.control.focus(); });
    return make("li", {}, link, ` ${said}`);
  });
  const heading = faults.some((fault) => fault.field) ? `${count(faults.length, "value")} cannot be taken` : title;
  at("faults").replaceChildren(make("h3", {}, heading), make("ul", {}, ...items));
  const first = fields.find((one) => faults.some((fault) => fault.field === one));
  if (first) first.control.focus();
  else at("faults").scrollIntoView({ block: "nearest" });
}

export function complain(title, lines) {
  at("faults").replaceChildren(make("h3", {}, title), ...lines.filter(Boolean).map((line) => make("p", {}, line)));
  at("faults").scrollIntoView({ block: "nearest" });
}

export function clear() {
  at("faults").replaceChildren();
  for (const one of fields) mark(one, "");
}
