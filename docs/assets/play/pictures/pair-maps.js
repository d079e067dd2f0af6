// Chapter 12: the layers from graphs to graphs are 15 patterns, one for each way in which the indices
// of an input entry (k, l) and of an output entry (i, j) may be equal.

import { number, range, rect, text } from "../svg.js";

const N = 4;
const AXES = ["i", "j", "k", "l"];

// All partitions of four axes: each axis joins a block that there is, or opens the next.
const PARTITIONS = range(3).reduce(
  (found) => found.flatMap((blocks) => range(Math.max(...blocks) + 2).map((b) => [...blocks, b])),
  [[0]],
);

// The partition of a tuple: axes are in one block if they hold the same node.
const partitionOf = (nodes) => {
  const first = nodes.map((node) => nodes.indexOf(node));
  const blocks = [...new Set(first)];
  return PARTITIONS.findIndex((p) => p.join() === first.map((f) => blocks.indexOf(f)).join());
};

const name = (blocks) => {
  const equal = range(Math.max(...blocks) + 1)
    .map((b) => AXES.filter((_, axis) => blocks[axis] === b))
    .filter((axes) => axes.length > 1);
  return equal.map((axes) => axes.join("=")).join(", ") || "all differ";
};

// How many indices of the input a pattern keeps gives its color.
const kept = (blocks) => new Set(blocks.slice(0, 2).filter((b) => blocks.slice(2).includes(b))).size;
const COLORS = [1, 2, 0];

const SIZE = 11;
const corner = (t) => [6 + 72 * (t % 5), 86 + 66 * Math.floor(t / 5)];

function grid(x, y, cell) {
  return range(N * N).map((at) => {
    const [i, j] = [Math.floor(at / N), at % N];
    return cell(i, j, x + SIZE * j, y + SIZE * i);
  }).join("");
}

function draw({ k, l }) {
  const hit = range(N).map((i) => range(N).map((j) => partitionOf([i, j, k, l])));
  const lit = new Set(hit.flat());
  const square = (x, y, color) =>
    (color === undefined ? "" : rect(x, y, SIZE, SIZE, `f${color}`, 0.9))
    + rect(x, y, SIZE, SIZE, "faint", 0);
  const tiles = PARTITIONS.map((blocks, t) => {
    const [x, y] = corner(t);
    const cells = grid(x, y, (i, j, px, py) =>
      square(px, py, hit[i][j] === t ? COLORS[kept(blocks)] : undefined));
    const words = text(x + 2 * SIZE, y + 56, name(blocks), "small");
    return lit.has(t) ? cells + words : `<g opacity="0.6">${cells}${words}</g>`;
  });
  const input = grid(58, 18, (i, j, x, y) => square(x, y, i === k && j === l ? 3 : undefined));
  const all = grid(258, 18, (i, j, x, y) => square(x, y, COLORS[kept(PARTITIONS[hit[i][j]])]));
  return {
    size: [360, 278],
    svg: [
      input, text(80, 12, `input entry (${k + 1}, ${l + 1})`, "small"),
      all, text(280, 12, "all patterns together", "small"), text(180, 45, "→", "big"), ...tiles,
    ].join(""),
    sentence: `Input entry (${k + 1}, ${l + 1}) enters all ${N * N} output entries, each by exactly `
      + `one of the ${PARTITIONS.length} patterns: ${lit.size} patterns light up. `
      + `The others need k ${k === l ? "≠" : "="} l.`,
    numbers: {
      patterns: PARTITIONS.length,
      hit,
      lit: lit.size,
      keeps: [2, 1, 0].map((n) => PARTITIONS.filter((blocks) => kept(blocks) === n).length),
    },
  };
}

const index = (label, value) => ({
  label, min: 0, max: N - 1, step: 1, value, shows: (v) => number(v + 1),
});

export const pairMaps = {
  keeps: true,
  controls: { k: index("row k", 0), l: index("column l", 1) },
  draw,
  hover: true,
  point(x, y) {
    const [l, k] = [Math.floor((x - 58) / SIZE), Math.floor((y - 18) / SIZE)];
    return [k, l].every((v) => v >= 0 && v < N) ? { k, l } : {};
  },
};
