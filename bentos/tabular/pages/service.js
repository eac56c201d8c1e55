// The service, as the card asks it.
import { stored } from "./access.js";

const PATIENCE = 30_000;

export async function call(path, options = {}) {
  const headers = { ...options.headers, ...credentials() };
  const signal = AbortSignal.timeout(PATIENCE);
  const answer = await fetch(new URL(path, document.baseURI), { cache: "no-store", ...options, headers, signal });
  let said = null;
  try { said = await answer.json(); } catch { /* Not ours: a proxy's page. */ }
  return { status: answer.status, header: (name) => answer.headers.get(name), said };
}

// A browser that follows a link sends no key.
export async function carry(event) {
  if (!stored()) return;
  event.preventDefault();
  const answer = await fetch(event.currentTarget.href, { headers: credentials() });
  location.assign(URL.createObjectURL(await answer.blob()));
}

const credentials = () => (stored() ? { "x-api-key": stored() } : {});
