// Chapter 1: the orbit of three numbers, seen in the plane of those with mean zero.

import { area, circle, line, number, text } from "../svg.js";

const GROUPS = {
  "all orders": [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]],
  "shifts": [[0, 1, 2], [1, 2, 0], [2, 0, 1]],
  "one swap": [[0, 1, 2], [1, 0, 2]],
};
const NAMES = { "all orders": "S₃", "shifts": "C₃", "one swap": "the swap of x₀ and x₁" };
const UNIT = 46;
const [CX, CY] = [180, 150];

// An orthonormal basis of the plane: (1, −1, 0) / √2 and (1, 1, −2) / √6.
function plane([x, y, z]) {
  return [CX + UNIT * (x - y) / Math.SQRT2, CY - UNIT * (x + y - 2 * z) / Math.sqrt(6)];
}

function back(px, py) {
  const [u, v] = [(px - CX) / UNIT / Math.SQRT2, (CY - py) / UNIT / Math.sqrt(6)];
  return [u + v, v - u, -2 * v];
}

function draw({ x0, x1, x2, group }) {
  const x = [x0, x1, x2];
  const orders = GROUPS[group].map((order) => order.map((i) => x[i]));
  const orbit = [...new Map(orders.map((order) => [order.join(), order])).values()];
  const stabilizer = orders.filter((order) => order.join() === x.join()).length;

  const ends = [[-2, 1, 1], [-1, -1, 2]].map((end) => plane(end.map((v) => 1.05 * v)));
  const mirrors = [[-2, 1, 1], [1, -2, 1], [1, 1, -2]].map((end) =>
    line(...plane(end), ...plane(end.map((v) => -v)), "dash"));
  const labels = [["x₁ = x₂", [-2.5, 1.25, 1.25]], ["x₀ = x₂", [1.25, -2.5, 1.25]],
    ["x₀ = x₁", [-1.25, -1.25, 2.5]]].map(([name, end]) => {
    const [px, py] = plane(end);
    return text(px, py + 4, name);
  });
  const sorted = `<g class="pale">${area([[CX, CY], ...ends], "f2")}</g>`;
  const dots = orbit.map((order) => circle(...plane(order), 7, "f0"));
  const own = circle(...plane(x), 11, "s1");
  const shown = `(${x.map((v) => number(v, 1)).join(", ")})`;
  const tied = stabilizer > 1 ? `${stabilizer} permutations keep it` : "only the identity keeps it";
  return {
    size: [360, 300],
    svg: [sorted, ...mirrors, ...labels, ...dots, own].join(""),
    sentence: `Under ${NAMES[group]} the orbit of ${shown} has ${orbit.length} `
      + `point${orbit.length > 1 ? "s" : ""}, and ${tied}: `
      + `${orbit.length} × ${stabilizer} = ${orders.length}, the order of the group.`,
    numbers: { orbit: orbit.length, stabilizer },
  };
}

const member = (label, value) => ({
  label, min: -3, max: 3, step: 0.1, value, shows: (v) => v.toFixed(1),
});
const rounded = (v) => Math.min(3, Math.max(-3, Math.round(10 * v) / 10)) || 0;

export const orbit = {
  controls: {
    group: { label: "Group:", options: Object.keys(GROUPS), value: "all orders" },
    x0: member("x₀", 0.2),
    x1: member("x₁", 0.7),
    x2: member("x₂", 2),
  },
  draw,
  // The pointer moves the point in the plane, so the mean stays as it is.
  point(px, py, { x0, x1, x2 }) {
    const mean = (x0 + x1 + x2) / 3;
    const [a, b, c] = back(px, py).map((v) => rounded(v + mean));
    return { x0: a, x1: b, x2: c };
  },
};
