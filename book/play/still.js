// The still picture of the playground: two rows of a set swapped, and what the models make of it.

import { along, to } from "./answers.js";
import { number } from "./dom.js";
import { seeded } from "./draws.js";
import { load } from "./nets.js";
import { tall } from "./rows.js";
import { ACTIONS, fresh, packed, squares } from "./set.js";
import { inWords, judged, summary, verdict } from "./verdicts.js";

const SEED = 7;
const mark = (name, transform) => (
  `<span class="play-mark play-${name}" style="transform: ${transform}"></span>`);
const cell = (name, text) => `<span role="cell" class="play-${name}">${text}</span>`;

function rowOf({ x }, columns) {
  const bars = [...x].map((entry, j) => (
    `<span class="play-bar" data-color="${columns[j]}"><i style="transform: ${tall(entry)}"></i></span>`));
  return `<div class="play-row"><span class="play-bars">${bars.join("")}</span></div>`;
}

export function still({ n, d, variances, slope, threshold, models }, graphs, weights, names) {
  const random = seeded(SEED);
  const run = load(graphs, Float32Array.from(weights), random);
  const set = fresh(n, d, SEED, variances[0]);
  const done = ACTIONS.swap[2](set, random);
  const best = slope * (squares(set) - threshold * n * d);
  const found = models.filter(({ name }) => !names.length || names.includes(name)).map((model) => {
    const [before, now] = [set, done.set].map((of) => {
      const { x, mask } = packed(of);
      return run[model.name](x, mask)[0][0];
    });
    return { ...verdict(model, done.kind, before, now), ignores: model.ignores, before, now };
  });
  const answers = found.map((v) => {
    const way = (along(v.now) - along(v.before)).toFixed(4);
    const marks = mark("ideal", to(best)) + mark("trail", `${to(v.before)} scaleX(${way})`)
      + mark("before", to(v.before)) + mark("now", to(v.now));
    const axis = `<span class="play-axis" aria-hidden="true">${marks}</span>`;
    const cells = [cell("name", v.name), cell("ignores", v.ignores), cell("line", axis),
      cell("logit", number(v.now, 2)), cell("verdict", inWords(v))];
    return `<div role="row" class="play-answer" data-verdict="${judged(v)}">${cells.join("")}</div>`;
  });
  const words = summary(done.words.replace("You swapped", "Someone swapped"), found, done.kind);
  const rows = done.set.rows.map((row) => rowOf(row, set.columns));
  return `<p class="play-status">${words} The ideal logit, the green line, is ${number(best, 2)}.</p>
<div class="play-side" role="img" aria-label="The rows of the set, each as ${d} bars.">${rows.join("")}</div>
<div class="play-main"><div role="table" class="play-answers" aria-label="Answers">${answers.join("")}</div></div>`;
}
