// The API's documentation: Swagger UI over the service's own OpenAPI document, with the key that the card keeps.
import { demand, keep, stored } from "./access.js";
import { at } from "./elements.js";

async function load(key) {
  const headers = key ? { "x-api-key": key } : {};
  let answer;
  try {
    answer = await fetch(new URL("openapi.json", document.baseURI), { cache: "no-store", headers });
  } catch {
    return later("The service does not answer.", key);
  }
  if (answer.status === 401 || answer.status === 403) return ask(key);
  if (answer.status !== 200) return later("No release is loaded yet, so that there is nothing to describe.", key);
  const spec = await answer.json();
  if (key) keep(key);
  at("notice").textContent = "";
  at("access").hidden = true;
  document.title = `${spec.info.title}: API`;
  show(spec, key);
}

function show(spec, key) {
  const ui = window.SwaggerUIBundle({
    spec,
    domNode: at("swagger"),
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    onComplete: () => { if (key) ui.preauthorizeApiKey("key", key); },
  });
}

function ask(refused) {
  at("notice").textContent = "";
  demand(Boolean(refused));
}

function later(words, key) {
  at("notice").textContent = `${words} Looking again every 3 seconds.`;
  setTimeout(load, 3_000, key);
}

at("access").addEventListener("submit", (event) => {
  event.preventDefault();
  load(at("key").value.trim());
  at("key").value = "";
});
load(stored());
