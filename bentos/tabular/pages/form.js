// The form: a field for every input of the contract, and the values in them.
import { at, make } from "./elements.js";
import { capital, figure, words } from "./notation.js";

export let fields = [];

export function build(card, typed) {
  fields = card.inputs.map((input, index) => field(input, index, card.limits));
  at("fields").replaceChildren(...fields.map((one) => one.node));
  at("fields").className = fields.length > 15 ? "many" : "";
  fill({ ...card.example, ...typed });
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
  control.addEventListener("input", () => mark(one, ""));
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

export function mark({ control, fault }, said) {
  fault.textContent = said;
  if (said) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}

export function fill(instance) {
  for (const { input, control } of fields) {
    const value = Object.hasOwn(instance, input.name) ? instance[input.name] : null;
    control.value = value === null ? "" : String(value);
  }
}

// What the form holds, as a request says it: null for what is left empty and may be, nothing for what may not.
export function values() {
  return fields.flatMap(({ input, control, optional }) => {
    if (control.value !== "") return [[input.name, read(input, control)]];
    return optional ? [[input.name, null]] : [];
  });
}

function read(input, control) {
  if (input.type === "boolean") return control.value === "true";
  return input.type === "category" ? control.value : Number(control.value);
}
