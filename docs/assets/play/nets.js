// An interpreter of trained models: the graphs that `export_graphs` of the package writes.
import { operations, places } from "./tensor.js";

// Returns for each model a function of a set, n · d numbers row by row, and its mask, n times true
// or false. It returns a list of arrays, one for each output: first the logit. The arrays are the
// caller's own. A model that takes no mask answers NaN if a member is absent.
//
// `weights` is a Float32Array; `random` returns uniform numbers from [0, 1), one for each number that
// a model draws, in order.
export function load(graphs, weights, random) {
  let end = 0;
  const constants = graphs.constants.map((size) => weights.subarray(end, (end += size)));
  const models = {};
  for (const [name, graph] of Object.entries(graphs.models))
    models[name] = compile(graph, graphs.n, graphs.d, constants, random);
  return models;
}

function compile(graph, n, d, constants, random) {
  const slots = [new Float32Array(n * d), new Float32Array(n)];
  const read = ([source, shape, strides, offset]) => ({
    of: source < 0 ? constants[-1 - source] : slots[source],
    at: places(shape, strides, offset),
    fixed: source < 0,
  });
  const steps = graph.steps.map(([name, size, reads, options]) => {
    // Single precision could not tell so many draws apart.
    const y = name === "rand" ? new Float64Array(size) : new Float32Array(size);
    const step = operations[name](y, reads.map(read), options.map(Number), random);
    slots.push(y);
    return step;
  });
  const outputs = graph.outputs.map(([place]) => read(place));
  return (x, mask) => {
    slots[0].set(x);
    for (let i = 0; i < n; i++) slots[1][i] = mask[i] ? 1 : 0;
    for (const step of steps) step();
    const knows = graph.masked || !slots[1].includes(0);
    return outputs.map(({ of, at }) => Float32Array.from(at, (i) => (knows ? of[i] : NaN)));
  };
}
