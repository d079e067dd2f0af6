// What an action did to the models, compared with what they claim.

const MOVED = 1e-4; // sums in another order differ by 1e-7 to 1e-6 in float32

// Of a model { name, keeps, draws } with logits before and after an action of some kind.
export function verdict({ name, keeps, draws }, kind, before, now) {
  const apart = Math.abs(now - before);
  const moves = !(apart <= MOVED * Math.max(1, Math.abs(before)));
  return { name, apart, moves, draws, claimed: keeps.includes(kind) };
}

export function judged({ moves, claimed }) {
  if (claimed) return moves ? "broken" : "kept";
  return moves ? "moved" : "same";
}

export function inWords(found) {
  const { apart, draws } = found;
  const moved = `${draws ? "drew anew:" : "moved"} ${apart.toFixed(apart < 0.01 ? 4 : 2)}`;
  return { broken: "CLAIM BROKEN", kept: "✓ as claimed", same: "same", moved }[judged(found)];
}

// A few models are named, many are counted: "mlp and intrinsic ignore", "10 models ignore".
function those(verdicts, all, one, many) {
  const names = verdicts.map(({ name }) => name);
  const verb = names.length === 1 ? one : many;
  if (all > 4) return `${names.length} ${names.length === 1 ? "model" : "models"} ${verb}`;
  const end = names.slice(-2).join(" and ");
  return `${[...names.slice(0, -2), end].join(", ")} ${verb}`;
}

// A sentence or two that sum up, for the eye and for a screen reader.
export function summary(words, verdicts, kind) {
  const parts = [];
  const say = (test, one, many) => {
    const found = verdicts.filter(test);
    if (found.length) parts.push(those(found, verdicts.length, one, many));
  };
  const ignoring = kind === "again"
    ? ["answers as before", "answer as before"]
    : ["ignores this by construction and did not move", "ignore this by construction and did not move"];
  say((v) => judged(v) === "kept", ...ignoring);
  say((v) => judged(v) === "same", "did not move, without a claim", "did not move, without a claim");
  say((v) => v.moves && !v.draws, "moved", "moved");
  say((v) => v.moves && v.draws, "drew orders anew and moved", "drew orders anew and moved");
  const broken = verdicts.filter((v) => judged(v) === "broken").map(({ name }) => name);
  const fault = broken.length ? ` A claim is broken: ${broken.join(", ")}.` : "";
  return `${words} ${parts.join("; ")}.${fault}`;
}
