// A prediction: sent as the form has it, and answered or refused.
import { reveal } from "./answer.js";
import { at } from "./elements.js";
import { accuse, clear, complain, located } from "./faults.js";
import { fields } from "./form.js";
import { capital } from "./notation.js";
import { body } from "./request.js";
import { call } from "./service.js";
import { ask, card, load } from "./standing.js";

export async function predict() {
  if (at("predict").getAttribute("aria-disabled") === "true") return;
  clear();
  const odd = fields.filter(({ control }) => control.validity.badInput);
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
  if (status === 200 && said) return reveal(said, card, milliseconds);
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
  if (version && card && version !== String(card.version) && version !== String(card.challenger?.version)) load();
}
