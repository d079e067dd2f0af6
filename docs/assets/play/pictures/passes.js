// Chapter 8: averages over k orders of a set of four, drawn one by one or as whole cosets.

import { seeded } from "../draws.js";
import { circle, line, number, permutations, range, scale, sum, tag, text } from "../svg.js";

const N = 4;
const X = [0.9, -1.3, 0.4, 1.6];
const W = [0.8, -0.5, 0.3, -0.9];
const OUTPUTS = 60;

const turned = (x) => range(N).map((s) => range(N).map((i) => x[(i + s) % N]));
const mean = (values) => sum(values) / values.length;
const cubed = (x) => sum(range(N).map((i) => W[i] * x[i])) ** 3;

// A power of a weighted sum has the degree of the power.
const FUNCTIONS = {
  "degree 1": (x) => sum(range(N).map((i) => W[i] * x[i])),
  "degree 2": (x) => sum(range(N).map((i) => W[i] * x[i])) ** 2,
  "degree 3": cubed,
  "invariant to shifts": (x) => mean(turned(x).map(cubed)),
};

const EVERY = permutations(range(N));
const even = (p) => p.flatMap((a, i) => p.slice(i).filter((b) => b < a)).length % 2 === 0;
const SUBGROUPS = { "C₄": turned(range(N)), "A₄": EVERY.filter(even) };

// (hσ · x)ᵢ = (σ · x)_{h(i)}, where (σ · x)ᵢ = x_{σ(i)}.
const coset = (subgroup, sigma) => subgroup.map((h) => h.map((i) => sigma[i]));
const act = (sigma) => sigma.map((i) => X[i]);
const variance = (values) => mean(values.map((v) => (v - mean(values)) ** 2));

function draw({ what, subgroup, doublings, seed }) {
  const f = FUNCTIONS[what];
  const H = SUBGROUPS[subgroup];
  const k = 12 * 2 ** doublings;
  const values = EVERY.map((sigma) => f(act(sigma)));
  const exact = mean(values);
  const s = Math.sqrt(variance(values));
  const averages = EVERY.map((sigma) => mean(coset(H, sigma).map((g) => f(act(g)))));
  const r = H.length * variance(averages) / s ** 2;

  const random = seeded(seed);
  const one = (list) => list[Math.floor(list.length * random())];
  const strips = [
    range(OUTPUTS).map(() => mean(range(k).map(() => one(values)))),
    range(OUTPUTS).map(() => mean(range(k / H.length).map(() => one(averages)))),
  ];
  // Two outputs each, which are independent.
  const apart = strips.map((strip) => Math.sqrt(mean(range(OUTPUTS / 2).map((i) =>
    (strip[2 * i] - strip[2 * i + 1]) ** 2))) / s);
  const theory = Math.sqrt(2 / k);

  const y = scale([-1.2, 1.2], [196, 24]);
  const across = (strip, i) => (strip ? 200 : 36) + (i + 0.5) * 140 / OUTPUTS;
  const error = [1, Math.sqrt(Math.max(r, 0))].map((factor) => factor / Math.sqrt(k));
  const drawings = strips.map((strip, which) => {
    const left = which ? 200 : 36;
    const bar = tag("rect", { x: left, y: y(error[which]), width: 140,
      height: Math.max(1, y(-error[which]) - y(error[which])), class: `f${which}`,
      "fill-opacity": 0.25 });
    const dots = strip.map((v, i) => circle(across(which, i),
      y(Math.max(-1.2, Math.min(1.2, (v - exact) / s))), 2.5, `f${which}`));
    return bar + line(left, y(0), left + 140, y(0), "ink") + dots.join("");
  });
  return {
    size: [360, 216],
    svg: [
      ...drawings, text(106, 14, "independent draws", "ink0"),
      text(270, 14, `cosets of ${subgroup}`, "ink1"),
      ...[-1, 0, 1].map((v) => text(28, y(v) + 4, v ? `${number(v)} s` : "mean", "end small")),
      text(188, 212, `${OUTPUTS} outputs each, of ${k} passes; the bars are one standard error`, "small"),
    ].join(""),
    sentence: `${k} passes an output. Two outputs of independent draws differ by `
      + `√(2/${k}) s = ${number(theory, 2)} s, here ${number(apart[0], 2)} s; `
      + `of cosets, by √r = ${number(Math.sqrt(Math.max(r, 0)), 2)} times that, `
      + `here ${number(apart[1], 2)} s.`,
    numbers: { values, exact, s, r, theory, apart, averages, orders: EVERY },
  };
}

export const passes = {
  keeps: true,
  state: { seed: 1 },
  controls: {
    what: { label: "f:", options: Object.keys(FUNCTIONS), value: "degree 3" },
    subgroup: { label: "H:", options: Object.keys(SUBGROUPS), value: "C₄" },
    doublings: { label: "passes k", min: 0, max: 6, step: 1, value: 0,
      shows: (v) => String(12 * 2 ** v) },
    again: { label: "Draw again", press: ({ seed }) => ({ seed: seed + 1 }) },
  },
  draw,
};
