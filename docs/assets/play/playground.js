// The playground: a set to move by hand, and trained models that answer.
//
//     <div data-play="playground" data-needs="playground claims" data-models="mlp intrinsic"
//          data-actions="swap shift" data-address></div>
//
// `data-models` and `data-actions` name what is shown, by default all; with `data-address` the
// address of the page leads to the set.

import { addressOf, setAt } from "./address.js";
import { answersView } from "./answers.js";
import { choicesOf } from "./chosen.js";
import { editor, guesser, toolbar } from "./controls.js";
import { element, textIn, write } from "./dom.js";
import { seeded } from "./draws.js";
import { LARGEST, rowsView } from "./rows.js";
import { ACTIONS, copied, dropped, edited, fresh, moved, packed, placesIn, squares } from "./set.js";
import { inWords, judged, summary, verdict } from "./verdicts.js";

const SEED = 7;
const START = "Drag a row by its grip, or press a button. Which models will move?";
const ASK = "Which models move? Tick them, then press Reveal.";

// `run[name](x, mask)` returns a list of outputs, first the logit; `run.sorted`, if there is one, the
// rows as the canonical order puts them.
export function playground(box, claims, run) {
  const { n, d, variances, slope, threshold } = claims;
  const { models, may, keepsAddress, sorted } = choicesOf(box.dataset, claims.models);
  const names = models.map(({ name }) => name);
  const random = seeded(SEED);

  let set = (keepsAddress && setAt(location.hash, n, d)) || fresh(n, d, SEED, variances[0]);
  let chosen = { i: 0, j: 0 };
  let now = {}; // the logits
  let places = null; // of the rows in the canonical order
  let last = {}; // what is shown of the last action: its logits before, its verdicts
  let action = null; // what goes on: the state before it, and what it has done so far
  let asked = null; // what the reader is asked to foresee
  let frame = 0;

  const view = rowsView(n, d, {
    choose, drag, edit: change, drop: finish, cancel, entry: (i, j) => set.rows[i].x[j],
    step: (i, j, by) => {
      choose(i, j);
      perform(edited(set, i, j, inside(set.rows[i].x[j] + by)));
    },
    move: (i, j) => perform(moved(set, i, j), j),
    remove: (i) => perform(dropped(set, i), i),
    copy: (i) => perform(copied(set, i), i + 1),
  }, may);
  const answers = answersView(models);
  const entry = editor((value) => change(chosen.i, chosen.j, value), finish);
  const guess = guesser(reveal);
  const tools = toolbar(variances, may, press);
  const status = element("p", { role: "status", class: "play-status" });
  const sentence = textIn(status, START);
  entry.node.hidden = !may("edit");
  guess.node.hidden = !may("guess");
  const node = element("div", { class: "play" }, tools, status,
    element("div", { class: "play-side" }, view.node, entry.node),
    element("div", { class: "play-main" }, guess.node, answers.node));

  function ask(which = names) {
    const { x, mask } = packed(set);
    now = { ...now };
    for (const name of which) [[now[name]]] = run[name](x, mask);
    if (sorted.length && run.sorted) places = placesIn(run.sorted(x, mask)[0], set);
  }

  function draw(lifted) {
    const best = slope * (squares(set) - threshold * set.rows.length * d);
    view.draw(set, chosen, places && { now: places, torn: last.torn ?? new Set() }, lifted);
    entry.draw(chosen, set.rows[chosen.i].x[chosen.j]);
    answers.draw({ best, now, before: last.before ?? now, verdicts: last.verdicts });
  }

  // --- An action: it begins, goes on for some frames, and ends ---

  function begin() {
    if (asked) write(sentence, `First say which models moved by the last action. ${ASK}`);
    if (asked || action) return Boolean(action);
    action = { set, now, places, last, chosen, tears: 0, jump: 0, done: null };
    last = { before: now, torn: new Set() };
    if (guess.wanted()) answers.ask("moving");
    return true;
  }

  // What it has done so far is shown with the next frame; models out of view wait for the end.
  function goOn(done, lifted) {
    action.done = done;
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => show(names.filter((name) => answers.seen.has(name)), lifted));
  }

  function show(which, lifted) {
    const old = { set, now, places };
    set = action.done.set;
    ask(which);
    if (action.done.kind === "edit") tear(old);
    view.glide(old.set, set, lifted?.i);
    draw(lifted);
  }

  // Where two rows change places in the canonical order, a network behind the sort jumps.
  function tear(old) {
    if (!places || old.set.rows.length !== set.rows.length) return;
    const crossed = set.rows.map((_, i) => i).filter((i) => old.places[i] !== places[i]);
    if (!crossed.length) return;
    crossed.forEach((i) => last.torn.add(i));
    action.tears += 1;
    const jumps = sorted.map((name) => Math.abs(now[name] - old.now[name]));
    action.jump = Math.max(action.jump, ...jumps);
  }

  function finish() {
    if (!action) return;
    if (!action.done || action.done.idle) return cancel();
    cancelAnimationFrame(frame);
    show(names);
    const { done, tears, jump } = action;
    const torn = tears
      ? ` Rows changed places in the canonical order, with a jump of ${jump.toFixed(2)}.` : "";
    asked = { kind: done.kind, words: done.words + torn };
    action = null;
    if (keepsAddress) history.replaceState(null, "", `#${addressOf(set)}`);
    if (!guess.wanted()) return reveal();
    guess.ask(true);
    answers.ask("asking");
    write(sentence, `${asked.words} ${ASK}`);
  }

  function cancel() {
    cancelAnimationFrame(frame);
    if (!action) return;
    ({ set, now, places, last, chosen } = action);
    action = null;
    answers.ask("");
    draw();
  }

  // Gives the verdicts, and counts the guesses that were right.
  function reveal() {
    if (!asked) return;
    const { kind, words } = asked;
    const found = models.map((model) => (
      verdict(model, kind, last.before[model.name], now[model.name])));
    last.verdicts = Object.fromEntries(found.map((v) => [v.name, [inWords(v), judged(v)]]));
    const guesses = guess.wanted() && answers.guesses();
    const right = found.filter((v) => guesses && guesses[v.name] === v.moves).length;
    const score = guesses ? ` You were right about ${right} of ${found.length}.` : "";
    asked = null;
    guess.ask(false);
    answers.ask("");
    draw();
    write(sentence, summary(words, found, kind) + score);
  }

  // --- What the reader does ---

  function choose(i, j = chosen.j) {
    chosen = { i, j };
    if (!action) draw();
  }

  function drag(i, way, height) {
    if (!begin()) return;
    const end = action.set.rows.length - 1;
    const j = Math.max(0, Math.min(end, i + Math.round(way / height)));
    chosen = { ...chosen, i: j };
    goOn(moved(action.set, i, j), { i: j, offset: way - (j - i) * height });
  }

  function change(i, j, value) {
    if (begin()) goOn(edited(action.set, i, j, inside(value)));
    else draw();
  }

  const inside = (value) => Math.max(-LARGEST, Math.min(LARGEST, Math.round(value * 100) / 100));

  // All at once. Then row `i` is chosen, and has the focus if a row had it.
  function perform(done, i = chosen.i) {
    if (done.idle) return;
    if (done.refused) return write(sentence, done.refused);
    cancel();
    if (!begin()) return;
    const inRow = document.activeElement?.closest(".play-grip, .play-drop");
    chosen = { ...chosen, i: Math.max(0, Math.min(i, done.set.rows.length - 1)) };
    action.done = done;
    finish();
    if (inRow && node.contains(inRow)) view.focus(chosen.i);
  }

  function press(name) {
    const to = { up: -1, down: 1, copy: 1 }[name] ?? 0;
    perform(ACTIONS[name][2](set, random, chosen.i, variances), chosen.i + to);
  }

  function put(next) {
    cancel();
    set = next;
    chosen = { i: 0, j: chosen.j };
    last = {};
    ask();
    draw();
  }

  if (keepsAddress) {
    addEventListener("hashchange", () => {
      const found = setAt(location.hash, n, d);
      if (found && !asked) put(found);
    });
  }
  put(set);
  return { node, put, ask, draw, press, state: () => ({ set, now, places }) };
}
