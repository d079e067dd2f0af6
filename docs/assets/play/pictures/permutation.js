// Chapter 1: a permutation falls apart into cycles, and a swap joins two or cuts one.

import { arrow, circle, number, plural, range, rect, superscript, text } from "../svg.js";

const N = 6;
const LETTERS = "abcdef";
const place = (i) => {
  const angle = (2 * Math.PI * i) / N - Math.PI / 2;
  return [88 + 62 * Math.cos(angle), 96 + 62 * Math.sin(angle)];
};

export function cyclesOf(images) {
  const seen = new Set();
  return images.flatMap((_, start) => {
    if (seen.has(start)) return [];
    const cycle = [];
    for (let i = start; !seen.has(i); i = images[i]) {
      seen.add(i);
      cycle.push(i);
    }
    return [cycle];
  });
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

function draw({ images, a, b, times }) {
  const all = cyclesOf(images);
  const cycles = all.filter((cycle) => cycle.length > 1);
  const order = all.reduce((lcm, { length }) => lcm * length / divisor(lcm, length), 1);
  // (σᵏ · x)ᵢ is the letter at σᵏ(i).
  let index = range(N);
  for (let k = 0; k < times; k++) index = index.map((i) => images[i]);
  const letters = index.map((i) => LETTERS[i]).join("");

  const color = (i) => {
    const cycle = cycles.findIndex((cycle) => cycle.includes(i));
    return cycle < 0 ? 5 : cycle;
  };
  const arrows = range(N).filter((i) => images[i] !== i).map((i) => {
    const [from, to] = [place(i), place(images[i])];
    const bend = [0, 1].map((axis) =>
      (from[axis] + to[axis]) / 2 * 0.7 + [88, 96][axis] * 0.3);
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    const off = [bend[0] - dy * 0.18, bend[1] + dx * 0.18]; // there and back differ
    return arrow(from, to, off.map(Math.round), 15, color(i));
  });
  const points = range(N).map((i) => {
    const [x, y] = place(i);
    const ring = i === a || i === b ? circle(x, y, 16, "dash") : "";
    return ring + circle(x, y, 12, `page s${color(i)}`) + text(x, y + 4, i);
  });
  const row = (y, name, words) => text(206, y, name, "end")
    + range(N).map((i) => text(222 + 25 * i, y, words[i], "big")).join("");
  const power = times === 1 ? "σ · x" : `σ${superscript(times)} · x`;
  const moved = range(N).map((i) =>
    rect(211 + 25 * i, 122, 22, 24, `f${color(i)}`, 0.2)).join("");
  const named = cycles.map((cycle) => `(${cycle.join(" ")})`).join("") || "the identity";
  const stays = N - cycles.flat().length;
  return {
    size: [360, 192],
    svg: [...arrows, ...points, moved, row(60, "place", range(N)), row(98, "x", LETTERS),
      row(140, power, letters)].join(""),
    sentence: `σ is ${named}${stays ? `, and ${plural(stays, "place")} ${stays === 1 ? "stays" : "stay"}` : ""}. `
      + `Its order is ${number(order)}: after so many steps all letters are back. `
      + `After ${plural(times, "step")} they read ${letters}.`,
    numbers: { cycles, order, letters },
  };
}

export const permutation = {
  state: { images: [2, 5, 4, 3, 0, 1] },
  controls: {
    a: { label: "one place", min: 0, max: N - 1, step: 1, value: 0 },
    b: { label: "another", min: 0, max: N - 1, step: 1, value: 1 },
    swap: {
      label: "Swap their images",
      press({ images, a, b }) {
        const swapped = [...images];
        [swapped[a], swapped[b]] = [images[b], images[a]];
        return { images: swapped };
      },
    },
    times: { label: "steps", min: 0, max: 6, step: 1, value: 1 },
  },
  draw,
  point(x, y, _, begins) {
    const far = (i) => Math.hypot(place(i)[0] - x, place(i)[1] - y);
    const near = range(N).reduce((best, i) => (far(i) < far(best) ? i : best));
    if (far(near) > 24) return {};
    return begins ? { a: near, b: near } : { b: near };
  },
};
