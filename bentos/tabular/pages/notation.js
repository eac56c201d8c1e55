// Names, numbers and times, as people read them.

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const words = (name) => capital(name.replaceAll("_", " ").trim() || name);
export const count = (number, noun) => `${figure(number, 0)} ${noun}${number === 1 ? "" : "s"}`;
export const moment = (text) => `${new Date(text).toISOString().slice(0, 16).replace("T", " ")} UTC`;

export function figure(number, decimals) {
  const size = Math.abs(number);
  if (size >= 1e15) return number.toExponential(4);
  return new Intl.NumberFormat("en", { maximumFractionDigits: decimals }).format(number).replace("-", "−");
}

// As many decimals as can matter beside something of this size.
export const decimals = (size) => (size > 0 ? Math.min(15, Math.max(0, 2 - Math.floor(Math.log10(size)))) : 2);

export function percent(share) {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  if (share < 1 && share > 0.999) return "> 99.9 %";
  return `${figure(100 * share, 1)} %`;
}

export const within = (unit) => (unit ? ` ${unit}` : "");
