// Chapter 5: the second moments of a network with standard normal weights, layer after layer.

import { circle, curve, line, number, plural, range, scale, superscript, text } from "../svg.js";

const [N, D, V1, V2] = [10, 5, 1, 0.8];
const POWER = { "1": 0, "1/√d": 0.5, "1/d": 1 }; // the factor s is d to minus this
const POOLS = ["sum", "mean"];
const DEPTH = 12;
const CERTAIN = 24 * Math.LN2; // from here on a sigmoid in float32 is exactly 1

// A′ = s²d (A + P + 1), C′ = s²d (C + P + 1); then a ReLU, by the arc-cosine kernel.
export function rms(widths, pool, factor) {
  let [A, C] = [(V1 + V2) / 2, 0];
  let gain = 0;
  let P = 0;
  for (const width of [D, ...widths]) {
    gain = width ** (1 - 2 * POWER[factor]);
    P = (N * A + N * (N - 1) * C) / (pool === "sum" ? 1 : N ** 2);
    [A, C] = [gain * (A + P + 1), gain * (C + P + 1)];
    const t = Math.acos(Math.min(1, C / A)); // which rounds above 1 after a few layers
    C = A / (2 * Math.PI) * (Math.sin(t) + (Math.PI - t) * Math.cos(t));
    A /= 2;
  }
  return Math.sqrt(gain * (P + 1)); // the last layer has no a
}

function draw({ pool, factor, width, depth }) {
  const path = (pool, factor) =>
    range(DEPTH + 1).map((layers) => rms(Array(layers).fill(width), pool, factor));
  const x = scale([0, DEPTH], [46, 344]);
  const y = scale([-2, 20], [186, 14]);
  const points = (values) => values.map((v, i) => [x(i), y(Math.log10(v))]);
  const others = POOLS.flatMap((p) => Object.keys(POWER).map((f) =>
    curve(points(path(p, f)), "faint")));
  const own = path(pool, factor);
  const powers = [0, 5, 10, 15, 20].map((k) =>
    text(40, y(k) + 4, k ? `10${superscript(k)}` : "1", "end small"));
  const logit = own[depth];
  const size = logit < 1e4 ? number(logit, logit < 1 ? 2 : 1)
    : `10${superscript(Math.round(Math.log10(logit)))}`;
  const verdict = logit > CERTAIN
    ? "Most outputs are exactly 0 or 1, or nearly so, and have no gradient in BCELoss."
    : "The sigmoid still answers.";
  return {
    size: [360, 222],
    svg: [
      ...powers, line(46, 14, 46, 186, "ink"), line(46, y(-2), 344, y(-2), "ink"),
      ...range(7).map((i) => text(x(2 * i), 200, 2 * i, "small")),
      text(195, 216, "hidden layers", "small"), text(50, 12, "rms of the logit", "start small"),
      ...others, line(46, y(Math.log10(CERTAIN)), 344, y(Math.log10(CERTAIN)), "dash"),
      text(344, y(Math.log10(CERTAIN)) - 4, "16.6: a sigmoid is 1", "end small"),
      curve(points(own), "s0"),
      ...points(own).map(([px, py], i) =>
        circle(px, py, i === depth ? 7 : 3, own[i] > CERTAIN ? "f1" : "f0")),
    ].join(""),
    sentence: `Set ${pool}, factor ${factor}, width ${width}, ${plural(depth, "hidden layer")}: `
      + `the logits have an rms of about ${size}. ${verdict}`,
    numbers: { logit, path: own },
  };
}

export const moments = {
  controls: {
    pool: { label: "Pool:", options: POOLS, value: "sum" },
    factor: { label: "Factor:", options: Object.keys(POWER), value: "1" },
    width: { label: "width", min: 2, max: 100, step: 1, value: 10 },
    depth: { label: "hidden layers", min: 0, max: DEPTH, step: 1, value: 2 },
  },
  draw,
};
