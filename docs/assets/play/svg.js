// Writes drawings. A class names the color: f0 to f5 fill, s0 to s5 draw lines, see moves.css.

const attribute = ([name, value]) =>
  ` ${name}="${typeof value === "number" ? +value.toFixed(2) : value}"`;

export function tag(name, attributes = {}, inner = "") {
  return `<${name}${Object.entries(attributes).map(attribute).join("")}>${inner}</${name}>`;
}

export const circle = (cx, cy, r, kind) => tag("circle", { cx, cy, r, class: kind });
export const line = (x1, y1, x2, y2, kind) => tag("line", { x1, y1, x2, y2, class: kind });
export const text = (x, y, words, kind = "") => tag("text", { x, y, class: kind }, words);
const places = (points) => points.map((p) => p.map((v) => +v.toFixed(2)).join(",")).join(" ");
export const curve = (points, kind) => tag("polyline", { points: places(points), class: kind });
export const area = (points, kind) => tag("polygon", { points: places(points), class: kind });

export function rect(x, y, width, height, kind, opacity = 1) {
  return tag("rect", { x, y, width, height, class: kind, "fill-opacity": opacity });
}

// An arrow along a bent line, from one point to another, that stops short of both.
export function arrow([x1, y1], [x2, y2], [cx, cy], short, color) {
  const toward = (x, y) => {
    const length = Math.hypot(cx - x, cy - y) || 1;
    return [x + (cx - x) / length * short, y + (cy - y) / length * short];
  };
  const [[ax, ay], [bx, by]] = [toward(x1, y1), toward(x2, y2)];
  const angle = Math.atan2(by - cy, bx - cx);
  const wing = (turn) => [bx - 8 * Math.cos(angle + turn), by - 8 * Math.sin(angle + turn)];
  const d = `M${ax.toFixed(1)} ${ay.toFixed(1)}Q${cx} ${cy} ${bx.toFixed(1)} ${by.toFixed(1)}`;
  return tag("path", { d, class: `s${color}` })
    + area([[bx, by], wing(0.4), wing(-0.4)], `f${color}`);
}

// From an interval to another.
export const scale = ([a, b], [p, q]) => (v) => p + (v - a) / (b - a) * (q - p);

export const number = (value, digits = 0) =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    .replace("-", "−");
export const range = (n) => [...Array(n).keys()];
export const sum = (list) => list.reduce((total, value) => total + value, 0);
export const permutations = (list) => (list.length < 2 ? [list]
  : list.flatMap((first) => permutations(list.filter((x) => x !== first)).map((p) => [first, ...p])));
export const superscript = (k) => [...String(k)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
export const plural = (n, word, words = `${word}s`) => `${n} ${n === 1 ? word : words}`;
