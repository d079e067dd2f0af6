// The set that the reader plays with, and what can be done to it. Nothing here knows of the page.
//
// A set is { rows, columns, n, seed, variance }: each row is { from, x }, where x holds its entries
// and `from` is its number among the rows that were drawn; columns[j] is the color of column j. An
// action returns { set, kind, words }: the new set, the kind of the action in the table of claims,
// and what was done, as a sentence. `idle` says that it was nothing at all. Or it returns { refused },
// a sentence that says why not.

import { normal, order, seeded } from "./draws.js";

// The rows are drawn from N(0, variance · I).
export function fresh(n, d, seed, variance) {
  const random = seeded(seed);
  const entry = () => Math.sqrt(variance) * normal(random);
  const rows = Array.from({ length: n }, (_, from) => (
    { from, x: Float32Array.from({ length: d }, entry) }));
  return { rows, columns: [...Array(d).keys()], n, seed, variance };
}

// What a network reads: n rows, of which the last may be padding, and which of them are members.
export function packed({ rows, columns, n }) {
  const [d, mask] = [columns.length, new Uint8Array(n)];
  const x = new Float32Array(n * d);
  rows.forEach((row, i) => x.set(row.x, i * d));
  return { x, mask: mask.fill(1, 0, rows.length) };
}

// T = Σ x², of which the ideal logit is a linear function.
export function squares({ rows }) {
  return rows.reduce((sum, { x }) => x.reduce((part, entry) => part + entry ** 2, sum), 0);
}

// The place of each row among the same rows in another order; of equal rows the first comes first.
export function placesIn(sorted, { rows, columns }) {
  const [d, free] = [columns.length, new Set(rows.keys())];
  return rows.map(({ x }) => {
    const place = [...free].find((at) => x.every((entry, j) => sorted[at * d + j] === entry));
    free.delete(place);
    return place;
  });
}

// What an order of k things among n places is: row i of the new set was row places[i] of the old.
// With fewer rows than places a shift of the rows is none of the places, since padding stays.
function kindOf(places, n, shift, any) {
  if (places.every((place, i) => place === i)) return "again";
  const cyclic = places.every((place, i) => place === (places[0] + i) % places.length);
  return cyclic && places.length === n ? shift : any;
}

function withRows(set, places, words) {
  const rows = places.map((place) => set.rows[place]);
  return { set: { ...set, rows }, kind: kindOf(places, set.n, "shift", "rows"), words };
}

function withColumns(set, places, words) {
  const rows = set.rows.map(({ from, x }) => ({ from, x: x.map((_, j) => x[places[j]]) }));
  const columns = places.map((place) => set.columns[place]);
  const kind = kindOf(places, columns.length, "column-shift", "columns");
  return { set: { ...set, rows, columns }, kind, words };
}

// The same rows with other entries, taken from one list of all of them.
function withEntries(set, entries, kind, words) {
  const d = set.columns.length;
  const rows = set.rows.map(({ from }, i) => (
    { from, x: Float32Array.from(entries.slice(i * d, (i + 1) * d)) }));
  return { set: { ...set, rows }, kind, words };
}

const entriesOf = ({ rows }) => rows.flatMap(({ x }) => [...x]);

const without = (list, i) => list.filter((_, j) => j !== i);

const inserted = (list, i, item) => [...list.slice(0, i), item, ...list.slice(i)];

export function moved(set, i, j) {
  if (j < 0 || j >= set.rows.length) return { refused: `Row ${i + 1} is at the end.` };
  if (i === j) return { set, kind: "again", words: "", idle: true };
  const places = inserted(without([...set.rows.keys()], i), j, i);
  const done = withRows(set, places, `You moved row ${i + 1} to place ${j + 1}`);
  done.words += done.kind === "shift" ? ", which shifts all rows." : ".";
  return done;
}

export function copied(set, i) {
  const { rows, n } = set;
  const full = rows.length === n;
  if (full && i === n - 1)
    return { refused: `There is room for ${n} rows: delete one, or copy another one.` };
  const more = inserted(rows, i + 1, { ...rows[i] }).slice(0, n);
  const words = `You copied row ${i + 1}${full ? ` in place of row ${n}: there is room for ${n}` : ""}.`;
  return { set: { ...set, rows: more }, kind: "edit", words };
}

export function dropped(set, i) {
  if (set.rows.length === 1) return { refused: "This is the only row." };
  const rows = without(set.rows, i);
  return { set: { ...set, rows }, kind: "edit", words: `You deleted row ${i + 1}.` };
}

export function edited(set, i, j, value) {
  const rows = set.rows.map((row, k) => (
    k === i ? { ...row, x: row.x.map((entry, l) => (l === j ? value : entry)) } : row));
  const words = `You changed the entry in row ${i + 1}, column ${j + 1}.`;
  return { set: { ...set, rows }, kind: "edit", words };
}

function swapped(length, random) {
  const [i, j] = order(length, random).slice(0, 2).sort((a, b) => a - b);
  const places = [...Array(length).keys()];
  [places[i], places[j]] = [j, i];
  return [places, `${i + 1} and ${j + 1}`];
}

const shifted = (length) => [...Array(length).keys()].map((i) => (i + length - 1) % length);

// Turns pairs of entries, each in its plane: (a, b) ↦ (a cos t − b sin t, a sin t + b cos t).
function turned(entries, pairs, angle) {
  const result = [...entries];
  for (const [i, j] of pairs) {
    const [a, b, t] = [result[i], result[j], angle()];
    result[i] = a * Math.cos(t) - b * Math.sin(t);
    result[j] = a * Math.sin(t) + b * Math.cos(t);
  }
  return result;
}

function shuffledColumn(set, random) {
  const [d, j] = [set.columns.length, Math.floor(set.columns.length * random())];
  const places = order(set.rows.length, random);
  const entries = entriesOf(set);
  places.forEach((place, i) => { entries[i * d + j] = set.rows[place].x[j]; });
  return withEntries(set, entries, "within", `You shuffled column ${j + 1} by itself.`);
}

function turnedColumns(set, random) {
  const [d, angle] = [set.columns.length, 0.5 + random()];
  const [i, j] = order(d, random).slice(0, 2).sort((a, b) => a - b);
  const pairs = set.rows.map((_, row) => [row * d + i, row * d + j]);
  const words = `You turned each row by the same angle in the plane of columns ${i + 1} and ${j + 1}.`;
  return withEntries(set, turned(entriesOf(set), pairs, () => angle), "turn", words);
}

function turnedEntries(set, random) {
  let entries = entriesOf(set);
  for (let round = 0; round < 4; round++) {
    const places = order(entries.length, random);
    const pairs = places.slice(1).map((place, k) => [places[k], place]);
    entries = turned(entries, pairs, () => 2 * Math.PI * random());
  }
  return withEntries(set, entries, "spin", "You turned all entries together, as one long vector.");
}

function redrawn({ n, columns }, random, variance) {
  const set = fresh(n, columns.length, Math.floor(random() * 1e6), variance);
  return { set, kind: "edit", words: `You drew a new set with variance ${variance}.` };
}

// The buttons: label, group, and the action on a set, given random numbers and the chosen row.
export const ACTIONS = {
  up: ["Move up", "Row", (set, _, i) => moved(set, i, i - 1)],
  down: ["Move down", "Row", (set, _, i) => moved(set, i, i + 1)],
  copy: ["Copy", "Row", (set, _, i) => copied(set, i)],
  delete: ["Delete", "Row", (set, _, i) => dropped(set, i)],
  shift: ["Shift", "Rows", (set) => (
    withRows(set, shifted(set.rows.length), "You shifted the rows by one."))],
  swap: ["Swap two", "Rows", (set, random) => {
    if (set.rows.length < 2) return { refused: "This is the only row." };
    const [places, which] = swapped(set.rows.length, random);
    return withRows(set, places, `You swapped rows ${which}.`);
  }],
  shuffle: ["Shuffle", "Rows", (set, random) => (
    withRows(set, order(set.rows.length, random), "You shuffled the rows."))],
  "column-shift": ["Shift", "Columns", (set) => (
    withColumns(set, shifted(set.columns.length), "You shifted the columns by one."))],
  "column-swap": ["Swap two", "Columns", (set, random) => {
    const [places, which] = swapped(set.columns.length, random);
    return withColumns(set, places, `You swapped columns ${which}.`);
  }],
  within: ["Shuffle one", "Columns", shuffledColumn],
  turn: ["Turn two", "Columns", turnedColumns],
  entries: ["Shuffle", "All entries", (set, random) => {
    const entries = entriesOf(set);
    const places = order(entries.length, random);
    const words = "You shuffled all entries.";
    return withEntries(set, places.map((place) => entries[place]), "entries", words);
  }],
  spin: ["Turn", "All entries", turnedEntries],
  "new-1": ["", "New set", (set, random, _, variances) => redrawn(set, random, variances[0])],
  "new-2": ["", "New set", (set, random, _, variances) => redrawn(set, random, variances[1])],
  again: ["Draw again", "Same set", (set) => (
    { set, kind: "again", words: "You asked again about the same set." })],
};
