// The key that a service may ask for, and the form that asks people for it.
import { at } from "./elements.js";

const STORED = "sluice-key";

let key = read();
let demanded = false;

function read() {
  // A browser that keeps nothing still works until it is reloaded.
  try { return sessionStorage.getItem(STORED) || ""; } catch { return ""; }
}

export const stored = () => key;

// Whether a request to this service has a key with it.
export const keyed = () => demanded || key !== "";

export function keep(given) {
  key = given;
  try { key ? sessionStorage.setItem(STORED, key) : sessionStorage.removeItem(STORED); } catch { /* see above */ }
}

export function demand(refused) {
  demanded = true;
  at("key-fault").textContent = refused ? "The service does not accept this key. Ask who runs it for a valid one." : "";
  at("access").hidden = false;
  at("key").focus();
}
