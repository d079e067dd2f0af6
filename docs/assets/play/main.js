// What the page calls when a place where something moves comes near the view.

import { move } from "./moves.js";
import { play } from "./start.js";
import { pictures } from "./pictures/all.js";

// What `data-play` names: each fills its box.
export const players = { playground: play };

export function start(box) {
  const { play, moves } = box.dataset;
  if (play) players[play](box);
  else move(box, pictures[moves]);
}
