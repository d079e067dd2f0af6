// Chapter 6: the 12 × 12 matrix of a layer for 4 × 3 matrices, painted by its four numbers.

import { line, number, range, rect, scale, text } from "../svg.js";

const [N, D] = [4, 3];
const KINDS = ["the same entry", "in one row", "in one column", "neither"];
const COLORS = [1, 0, 2, 5];

// Entries are numbered row after row.
const kind = (one, other) => {
  const rows = Math.floor(one / D) === Math.floor(other / D);
  const columns = one % D === other % D;
  return rows ? (columns ? 0 : 1) : columns ? 2 : 3;
};

// A mean holds every pair of entries that share what it does not run over.
const weightsOf = ({ a, b, c, e }) => {
  const rest = e / (N * D);
  return [a + b / D + c / N + rest, b / D + rest, c / N + rest, rest];
};

function draw(values) {
  const { entry } = values;
  const weights = weightsOf(values);
  const strength = scale([0, Math.max(...weights.map(Math.abs), 1e-9)], [0, 0.9]);
  // A negative weight is hollow.
  const cell = (x, y, size, k) => {
    const w = weights[k];
    const opacity = strength(Math.abs(w));
    const own = w >= 0 ? rect(x, y, size, size, `f${COLORS[k]}`, opacity) : "";
    const hollow = `<g opacity="${opacity.toFixed(2)}">`
      + rect(x + 2, y + 2, size - 4, size - 4, `s${COLORS[k]}`) + "</g>";
    return own + (w < 0 ? hollow : "") + rect(x, y, size, size, "faint", 0);
  };
  const small = 15;
  const [left, top] = [22, 18];
  const whole = range(144).map((at) => {
    const [out, into] = [Math.floor(at / 12), at % 12];
    return cell(left + small * into, top + small * out, small, kind(out, into));
  });
  const cuts = range(3).flatMap((i) => [
    line(left, top + 45 * (i + 1), left + 180, top + 45 * (i + 1), "ink"),
    line(left + 45 * (i + 1), top, left + 45 * (i + 1), top + 180, "ink"),
  ]);
  const big = 34;
  const seen = range(12).map((into) => {
    const [x, y] = [240 + big * (into % D), 18 + big * Math.floor(into / D)];
    const value = number(weights[kind(entry, into)], 2);
    return cell(x, y, big, kind(entry, into)) + text(x + big / 2, y + big / 2 + 4, value, "small");
  });
  const chosen = rect(240 + big * (entry % D), 18 + big * Math.floor(entry / D), big, big, "ink");
  const legend = KINDS.map((name, k) => rect(240, 164 + 12 * k, 8, 8, `f${COLORS[k]}`)
    + text(254, 172 + 12 * k, name, "start small"));
  const [row, column] = [Math.floor(entry / D) + 1, entry % D + 1];
  return {
    size: [360, 216],
    svg: [
      ...whole, ...cuts, rect(left, top + small * entry, 180, small, "ink"),
      text(112, 12, "input entry", "small"), text(112, 212, "the matrix of the map", "small"),
      ...seen, chosen, text(291, 12, `what output (${row}, ${column}) reads`, "small"), ...legend,
    ].join(""),
    sentence: `Weights: ${weights.map((w, k) => `${number(w, 3)} ${KINDS[k]}`).join(", ")}. `
      + "Whatever the sliders do, each color has one weight.",
    numbers: {
      weights,
      counts: KINDS.map((_, k) => range(144).filter((at) =>
        kind(Math.floor(at / 12), at % 12) === k).length),
      matrix: range(12).map((out) => range(12).map((into) => weights[kind(out, into)])),
    },
  };
}

const slider = (label, value) => ({
  label, min: -1, max: 1, step: 0.05, value, shows: (v) => v.toFixed(2),
});

export const fourMaps = {
  controls: {
    a: slider("a: the entry", 1),
    b: slider("b: mean of its row", 0.9),
    c: slider("c: mean of its column", -0.8),
    e: slider("e: mean of all", 0.6),
    entry: { label: "output entry", min: 0, max: 11, step: 1, value: 4,
      shows: (k) => `(${Math.floor(k / D) + 1}, ${k % D + 1})` },
  },
  draw,
  hover: true,
  point(x, y) {
    const inside = (v, n) => v >= 0 && v < n;
    const [column, row] = [Math.floor((x - 240) / 34), Math.floor((y - 18) / 34)];
    if (inside(column, D) && inside(row, N)) return { entry: row * D + column };
    const out = Math.floor((y - 18) / 15);
    return x > 22 && x < 202 && inside(out, 12) ? { entry: out } : {};
  },
};
