// The facts: what there is to know of the model that serves.
import { at, make } from "./elements.js";
import { count, decimals, figure, moment, percent, within, words } from "./notation.js";

const NAMES = { r2: "R²", rmse: "RMSE", mae: "MAE", mape: "MAPE", roc_auc: "ROC AUC", f1: "F1" };
const SOURCES = { registry: "Model registry", object_store: "Object store", baked: "Its own image" };

export function about(card) {
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
  const cell = (name, value) => {
    const unit = ["rmse", "mae"].includes(name) ? within(card.output.unit) : "";
    return make("td", {}, value === undefined ? "" : `${figure(value, decimals(Math.abs(value) / 10))}${unit}`);
  };
  const head = ["Measure", "Held-out rows", ...(kept ? ["Out of fold"] : [])];
  const rows = Object.entries(card.metrics).map(([name, value]) => make("tr", {},
    make("th", { scope: "row" }, NAMES[name] ?? words(name)), cell(name, value),
    kept ? cell(name, card.out_of_fold[name]) : null));
  return make("table", {}, make("caption", {}, "How good it is on rows it never learned from"),
    make("thead", {}, make("tr", {}, ...head.map((term) => make("th", { scope: "col" }, term)))),
    make("tbody", {}, ...rows));
}
