// The request that the form makes, and the same from a shell.
import { keyed } from "./access.js";
import { at } from "./elements.js";
import { values } from "./form.js";

// JSON with room to break a line in.
export const body = () => {
  const pairs = values().map((pair) => pair.map((part) => JSON.stringify(part)).join(": "));
  return `{"instances": [{${pairs.join(", ")}}]}`;
};

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

export function rewrite() {
  const lines = [
    `curl -sS ${quoted(new URL("api/v1/predict", document.baseURI).href)}`,
    `-H 'content-type: application/json'`,
    ...(keyed() ? ['-H "x-api-key: $SLUICE_API_KEY"'] : []),
    `--data-raw ${quoted(body())}`,
  ];
  at("curl").textContent = lines.join(" \\\n  ");
  at("curl-hint").hidden = !keyed();
}

export async function copy() {
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
