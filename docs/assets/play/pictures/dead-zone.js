// Chapter 5: the slope of the loss at one logit, in float32, by way of the probability or without.

import { circle, curve, line, number, range, scale, text } from "../svg.js";

const f = Math.fround;
const [LOW, HIGH] = [-120, 40];

// p = 1 / (1 + e⁻ᶻ), each step rounded to float32.
const sigmoid = (z) => f(1 / f(1 + f(Math.exp(-z))));

// BCELoss: (p − y) / max(p (1 − p), 10⁻¹²), and then p (1 − p) for the sigmoid.
function throughProbability(z, y) {
  const p = sigmoid(z);
  const q = f(f(1 - p) * p);
  return f(f(f(p - y) / Math.max(q, f(1e-12))) * q);
}

const ofLogit = (z, y) => f(sigmoid(z) - y);

function draw({ logit, label }) {
  const y = Number(label);
  const x = scale([LOW, HIGH], [30, 350]);
  const up = scale([0, 1], [170, 24]);
  const grid = range(641).map((i) => LOW + i * (HIGH - LOW) / 640);
  const path = (slope) => grid.map((z) => [x(z), up(Math.abs(slope(z, y)))]);
  const [old, better] = [throughProbability(logit, y), ofLogit(logit, y)];
  const right = (logit > 0) === (y === 1);
  const said = Math.abs(old) < 1e-6 && Math.abs(better) > 0.5
    ? "The answer is wrong and BCELoss gives it no gradient"
    : `The slope of BCELoss is ${number(old, 4)}`;
  const p = sigmoid(logit);
  const shown = p === 1 || p === 0 ? `exactly ${p}` : p > 0.001 && p < 0.999 ? number(p, 3)
    : p < 0.5 ? p.toExponential(1).replace("-", "−") : `1 − ${(1 - p).toExponential(1).replace("-", "−")}`;
  return {
    size: [360, 208],
    svg: [
      line(30, 170, 350, 170, "ink"), line(x(0), 24, x(0), 170, "faint"),
      ...[-100, -75, -50, -25, 0, 25].map((z) => text(x(z), 185, number(z), "small")),
      text(190, 202, "logit", "small"), text(26, up(1) + 4, 1, "end small"),
      text(26, 174, 0, "end small"), text(30, 13, "size of the slope of the loss", "start small"),
      curve(path(ofLogit), "s0"), curve(path(throughProbability), "s1"),
      circle(x(logit), up(Math.abs(better)), 6, "f0"),
      circle(x(logit), up(Math.abs(old)), 6, "f1"),
      text(x(-62), 60, "BCEWithLogitsLoss", "ink0"), text(x(-62), 78, "sigmoid, then BCELoss", "ink1"),
    ].join(""),
    sentence: `Label ${label}, logit ${number(logit, 1)}: the sigmoid is ${shown}, `
      + `${right ? "right" : "wrong"}. ${said}; that of the logit itself is ${number(better, 4)}.`,
    numbers: { probability: p, old, better },
  };
}

export const deadZone = {
  controls: {
    label: { label: "Label:", options: ["0", "1"], value: "0" },
    logit: { label: "logit", min: LOW, max: HIGH, step: 0.2, value: 16.8,
      shows: (z) => z.toFixed(1) },
  },
  draw,
  point(x) {
    const logit = Math.round(5 * scale([30, 350], [LOW, HIGH])(x)) / 5;
    return { logit: Math.min(HIGH, Math.max(LOW, logit)) };
  },
};
