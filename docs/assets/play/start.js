// Where the playground takes its models from: the data scripts that its element names.

import { seeded } from "./draws.js";
import { load } from "./nets.js";
import { playground } from "./playground.js";
import { numbers } from "./tensor.js";

const SEED = 1;
const loaded = {};

// The models of one script, for all places on a page.
function networks(name) {
  const { graphs, weights } = BOOK.data[name];
  return load(graphs, numbers(weights), seeded(SEED));
}

// What is in the box, a still picture, gives way.
export function play(box) {
  const [name] = box.dataset.needs.split(" ");
  loaded[name] ??= networks(name);
  box.play = playground(box, BOOK.data.claims, loaded[name]);
  for (const child of box.children) child.hidden = true;
  box.append(box.play.node);
}
