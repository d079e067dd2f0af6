// Every picture that moves, by the name that the cell of its still figure gives in `moves`.

import { deadZone } from "./dead-zone.js";
import { fourMaps } from "./four-maps.js";
import { meeting } from "./meeting.js";
import { moments } from "./moments.js";
import { orbit } from "./orbit.js";
import { pairMaps } from "./pair-maps.js";
import { passes } from "./passes.js";
import { permutation } from "./permutation.js";
import { renaming } from "./renaming.js";
import { threshold } from "./threshold.js";

export const pictures = {
  permutation,
  orbit,
  threshold,
  moments,
  "dead-zone": deadZone,
  "four-maps": fourMaps,
  meeting,
  passes,
  "pair-maps": pairMaps,
  renaming,
};
