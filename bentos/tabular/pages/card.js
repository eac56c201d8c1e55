// The service card: a form made from the contract of what serves, its answers, and what there is to know of the model.
// What comes from the service is put in as text, never as markup.
import { stored } from "./access.js";
import { redraw, stale } from "./answer.js";
import { at } from "./elements.js";
import { clear } from "./faults.js";
import { fill } from "./form.js";
import { predict } from "./prediction.js";
import { copy, rewrite } from "./request.js";
import { carry } from "./service.js";
import { card, load, pause, use } from "./standing.js";

at("form").addEventListener("submit", (event) => { event.preventDefault(); predict(); });
at("form").addEventListener("reset", (event) => {
  event.preventDefault();
  fill(card.example);
  clear();
  rewrite();
  stale();
});
// Whichever field it is.
at("fields").addEventListener("input", () => { rewrite(); stale(); });
at("access").addEventListener("submit", (event) => {
  event.preventDefault();
  use(at("key").value.trim());
  at("key").value = "";
  load();
});
at("forget").addEventListener("click", () => { use(""); location.reload(); });
at("copy").addEventListener("click", copy);
for (const link of document.querySelectorAll("a[data-keyed]")) link.addEventListener("click", carry);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) pause();
  else if (at("access").hidden) load();
});
new ResizeObserver(redraw).observe(at("result"));
use(stored());
load();
