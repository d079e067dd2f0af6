// A few lines to make elements once, and to change no more of them than must change.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Text inside an element, which later changes without a new node.
export function textIn(parent, value = "") {
  const text = document.createTextNode(value);
  parent.append(text);
  return text;
}

export function write(text, value) {
  if (text.data !== value) text.data = value;
}

export function attribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// Changes a style only if it differs from what was written last: to ask the page would take longer.
const written = new WeakMap();
export function style(node, name, value) {
  const known = written.get(node) ?? {};
  if (known[name] === value) return;
  written.set(node, { ...known, [name]: value });
  node.style.setProperty(name, value);
}

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const number = (value, digits = 1) => value.toFixed(digits).replace("-", "−");
