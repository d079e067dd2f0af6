// Chapter 7: one row is moved past two others, behind a sort and behind frames of directions.

import { circle, curve, line, number, range, scale, sum, tag, text } from "../svg.js";

const FIXED = [[-0.5, 0.4], [0.6, -0.5]];
const K = 8;
export const DIRECTIONS = range(K).map((k) => {
  const angle = 0.1 + (Math.PI * k) / K;
  return [Math.cos(angle), Math.sin(angle)];
});
const STEPS = 400;
const END = 1.5;
const KINDS = ["lexicographic sort", "equal weights", "gap weights"];

// Any function of three rows will do that is not symmetric.
function f([[a, b], [c, d], [e, g]]) {
  return Math.tanh(a + 2 * d) - Math.sin(1.5 * c - g) + b * e / 2;
}

const sorted = (rows) => [...rows].sort(([a, b], [c, d]) => a - c || b - d);

// Along each direction the rows have an order, and a smallest gap.
function frame(rows) {
  return DIRECTIONS.map(([u, v]) => {
    const height = ([x, y]) => u * x + v * y;
    const order = [...rows].sort((p, q) => height(p) - height(q));
    const gaps = [1, 2].map((i) => height(order[i]) - height(order[i - 1]));
    return { output: f(order), gap: Math.min(...gaps) };
  });
}

// Of the sort, and of the frame with equal weights and with weights ∝ the gaps.
export function outputs(rows) {
  const views = frame(rows);
  const total = sum(views.map(({ gap }) => gap));
  return [
    f(sorted(rows)),
    sum(views.map(({ output }) => output)) / K,
    sum(views.map(({ output, gap }) => output * gap)) / total,
  ];
}

const rowsAt = (x, y) => [[x, y], ...FIXED];
const distinct = (x) => x + 1e-9; // a tie is a matter of taste, and no picture shows it

function draw({ x, y }) {
  const path = range(STEPS + 1).map((i) => distinct(-END + (2 * END * i) / STEPS));
  const found = path.map((at) => outputs(rowsAt(at, y)));
  const here = outputs(rowsAt(distinct(x), y));
  const across = scale([-END, END], [14, 346]);
  const down = scale([-1, 1], [104, 14]);
  const up = scale([-2.6, 2.6], [266, 128]);
  const lines = KINDS.flatMap((_, kind) => {
    // The pen is lifted at a jump.
    const pieces = [[]];
    found.forEach((values, i) => {
      if (i && Math.abs(values[kind] - found[i - 1][kind]) > 0.05) pieces.push([]);
      pieces.at(-1).push([across(path[i]), up(values[kind])]);
    });
    return pieces.map((points) => curve(points, `s${kind}`));
  });
  const order = sorted(rowsAt(distinct(x), y));
  const dots = rowsAt(x, y).map(([px, py], i) => {
    const place = order.findIndex(([a]) => a === (i ? px : distinct(px)));
    return circle(across(px), down(py), 11, `page ${i ? "s5" : "s1"}`)
      + text(across(px), down(py) + 4, place + 1);
  });
  const jumps = FIXED.filter(([px]) => Math.abs(px) < END).map(([px]) => {
    const [before, after] = [px - 1e-9, px + 1e-9].map((at) => outputs(rowsAt(at, y))[0]);
    return Math.abs(after - before);
  });
  const legend = KINDS.map((name, i) => line(16 + 116 * i, 284, 30 + 116 * i, 284, `s${i}`)
    + text(34 + 116 * i, 288, name, "start small"));
  return {
    size: [360, 294],
    svg: [
      tag("rect", { x: 14, y: 14, width: 332, height: 90, class: "faint" }),
      line(across(-END), down(y), across(END), down(y), "faint"),
      ...FIXED.map(([px]) => line(across(px), 14, across(px), 266, "dash pale")),
      line(across(x), 14, across(x), 266, "faint"), ...dots, ...lines,
      ...here.map((value, kind) => circle(across(x), up(value), 5, `f${kind}`)), ...legend,
    ].join(""),
    sentence: "The numbers are the places in the sorted order. Where two rows change places, the sort "
      + `jumps by ${jumps.map((jump) => number(jump, 2)).join(" and ")}; gap weights do not. `
      + `Here: ${here.map((value, i) => `${KINDS[i]} ${number(value, 2)}`).join(", ")}.`,
    numbers: { outputs: here, jumps, rows: rowsAt(distinct(x), y) },
  };
}

const within = (low, high) => (v) => Math.min(high, Math.max(low, Math.round(50 * v) / 50)) || 0;
const shows = (v) => v.toFixed(2);

export const meeting = {
  keeps: true,
  controls: {
    x: { label: "moved row, across", min: -END, max: END, step: 0.02, value: -0.7, shows },
    y: { label: "and up", min: -0.9, max: 0.9, step: 0.02, value: 0.1, shows },
  },
  draw,
  point(px, py) {
    const x = within(-END, END)(scale([14, 346], [-END, END])(px));
    return py > 110 ? { x } : { x, y: within(-0.9, 0.9)(scale([104, 14], [-1, 1])(py)) };
  },
};
