// Chapter 2: T follows v times a chi-square distribution under either label, and a threshold cuts.

import { below, density } from "../chi2.js";
import { area, curve, line, number, range, scale, text } from "../svg.js";

const V1 = 1;
const END = 140;
const GRID = range(281).map((i) => i * END / 280);

// acc = (F(t / v₂) + 1 − F(t / v₁)) / 2
const accuracy = (t, size, v2) => (below(t / v2, size) + 1 - below(t / V1, size)) / 2;
const best = (size, v2) => size * Math.log(V1 / v2) / (1 / v2 - 1 / V1);

function draw({ cut, size, v2 }) {
  const t = best(size, v2);
  const bells = [V1, v2].map((v) => GRID.map((x) => density(x / v, size) / v));
  const top = Math.max(...bells.flat().filter(Number.isFinite), 1e-9);
  const x = scale([0, END], [8, 352]);
  const y = scale([0, top], [188, 30]);
  const points = bells.map((bell) => bell.map((p, i) => [x(GRID[i]), y(Math.min(p, top))]));
  const wrong = (bell, from, to) => {
    const inside = bell.filter(([px]) => px >= x(from) && px <= x(to));
    return inside.length > 1
      ? area([[inside[0][0], y(0)], ...inside, [inside.at(-1)[0], y(0)]], "")
      : "";
  };
  const shade = (color, drawing) => `<g class="pale f${color}">${drawing}</g>`;
  const ticks = range(8).map((i) => text(x(20 * i), 204, 20 * i, "small")).join("");
  const [here, most] = [accuracy(cut, size, v2), accuracy(t, size, v2)];
  return {
    size: [360, 224],
    svg: [
      // Label 0 is missed below the cut, label 1 above it.
      shade(0, wrong(points[0], 0, cut)), shade(1, wrong(points[1], cut, END)),
      line(8, y(0), 352, y(0), "ink"), ticks, text(180, 220, "T = Σ x²", "small"),
      curve(points[0], "s0"), curve(points[1], "s1"),
      line(x(t), 30, x(t), y(0), "dash"), line(x(cut), 18, x(cut), y(0), "ink"),
      text(x(cut), 13, "says 1 | says 0"),
      text(350, 44, `label 0, variance ${V1}`, "end ink0"),
      text(350, 60, `label 1, variance ${number(v2, 2)}`, "end ink1"),
    ].join(""),
    sentence: `Cut at ${number(cut, 1)}, one is right on ${number(100 * here, 1)} percent of the sets. `
      + `The best cut, dashed, is at ${number(t, 2)}: right on ${number(100 * most, 2)} percent. `
      + "Shaded, halved: the errors.",
    numbers: { accuracy: here, threshold: t, limit: most },
  };
}

export const threshold = {
  controls: {
    cut: { label: "cut", min: 0, max: END, step: 0.5, value: 36, shows: (v) => v.toFixed(1) },
    size: { label: "entries n d", min: 2, max: 100, step: 2, value: 50 },
    v2: { label: "variance v₂", min: 0.3, max: 0.95, step: 0.05, value: 0.8,
      shows: (v) => v.toFixed(2) },
  },
  draw,
  point(x) {
    const cut = Math.round(2 * scale([8, 352], [0, END])(x)) / 2;
    return { cut: Math.min(END, Math.max(0, cut)) };
  },
};
