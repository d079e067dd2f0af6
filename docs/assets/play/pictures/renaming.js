// Chapter 12: renaming nodes permutes rows and columns of the matrix together; the graph stays.

import { circle, line, permutations, plural, range, rect, sum, text } from "../svg.js";

const N = 6;
const GRAPHS = {
  "ring": [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 0]],
  "two triangles": [[0, 1], [1, 2], [2, 0], [3, 4], [4, 5], [5, 3]],
  "path": [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]],
  "star": [[0, 1], [0, 2], [0, 3], [0, 4], [0, 5]],
};
const DRAWN = Object.keys(GRAPHS);

const place = (i) => {
  const angle = (2 * Math.PI * i) / N - Math.PI / 2;
  return [80 + 58 * Math.cos(angle), 88 + 58 * Math.sin(angle)];
};
const matrixOf = (edges, names) => {
  const matrix = range(N).map(() => Array(N).fill(0));
  for (const [u, v] of edges)
    matrix[names[u]][names[v]] = matrix[names[v]][names[u]] = 1;
  return matrix;
};
const EVERY = permutations(range(N));

// Automorphisms are the renamings that leave the matrix as it is.
const known = {};
function automorphisms(graph) {
  const same = (names) => matrixOf(GRAPHS[graph], names).join();
  return known[graph] ??= EVERY.filter((names) => same(names) === same(range(N))).length;
}

function draw({ graph, names, a, b }) {
  const edges = GRAPHS[graph];
  const matrix = matrixOf(edges, names);
  const degrees = matrix.map(sum).sort((x, y) => x - y);
  const walks = (i, j) => sum(range(N).map((m) => matrix[i][m] * matrix[m][j]));
  const triangles = sum(range(N * N).map((at) => {
    const [i, j] = [Math.floor(at / N), at % N];
    return matrix[i][j] * walks(i, j);
  })) / 6;
  const marked = (name) => name === a || name === b;
  const lines = edges.map(([u, v]) => line(...place(u), ...place(v), "ink"));
  const nodes = range(N).map((i) => {
    const [x, y] = place(i);
    return circle(x, y, 13, `page ${marked(names[i]) ? "s1" : "s0"}`) + text(x, y + 4, names[i] + 1);
  });
  const cell = 22;
  const cells = range(N * N).map((at) => {
    const [i, j] = [Math.floor(at / N), at % N];
    const [x, y] = [214 + cell * j, 24 + cell * i];
    const color = marked(i) || marked(j) ? "f1" : "f0";
    return (matrix[i][j] ? rect(x, y, cell, cell, color, 0.85) : "")
      + rect(x, y, cell, cell, "faint", 0);
  });
  const labels = range(N).map((i) => text(204, 39 + cell * i, i + 1, "small")
    + text(225 + cell * i, 18, i + 1, "small"));
  const fixing = automorphisms(graph);
  const matrices = EVERY.length / fixing;
  return {
    size: [360, 172],
    svg: [...lines, ...nodes, ...cells, ...labels].join(""),
    sentence: `${plural(edges.length, "edge")}, degrees ${degrees.join(", ")}, `
      + `${plural(triangles, "triangle")}, whatever the names. Of ${EVERY.length} renamings `
      + `${fixing} change nothing, so this graph has ${EVERY.length} / ${fixing} = ${matrices} matrices.`,
    numbers: { matrix, degrees, triangles, automorphisms: fixing, matrices },
  };
}

export const renaming = {
  keeps: true,
  state: { names: range(N) },
  controls: {
    graph: { label: "Graph:", options: DRAWN, value: "ring" },
    a: { label: "one name", min: 0, max: N - 1, step: 1, value: 0, shows: (v) => String(v + 1) },
    b: { label: "another", min: 0, max: N - 1, step: 1, value: 1, shows: (v) => String(v + 1) },
    swap: {
      label: "Swap the names",
      press: ({ names, a, b }) =>
        ({ names: names.map((name) => (name === a ? b : name === b ? a : name)) }),
    },
  },
  draw,
  point(x, y, { names }, begins) {
    const far = (i) => Math.hypot(place(i)[0] - x, place(i)[1] - y);
    const near = range(N).reduce((best, i) => (far(i) < far(best) ? i : best));
    if (far(near) > 24) return {};
    return begins ? { a: names[near], b: names[near] } : { b: names[near] };
  },
};
