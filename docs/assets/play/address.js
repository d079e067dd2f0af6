// A set as the part of the address after #, so that a link leads to it.
//
//     s=7&v=0.8&o=bacdefghij&c=abcde    seed and variance, the rows and the columns as they were drawn
//     x=…&c=abcde                       the entries themselves, once they were changed

import { fresh } from "./set.js";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const letters = (numbers) => numbers.map((number) => LETTERS[number]).join("");
const numbers = (text) => [...text].map((letter) => LETTERS.indexOf(letter));

export function addressOf(set) {
  const { rows, columns, n, seed, variance } = set;
  const drawn = fresh(n, columns.length, seed, variance).rows;
  const kept = rows.every(({ from, x }) => columns.every((c, j) => x[j] === drawn[from].x[c]));
  const own = kept
    ? `s=${seed}&v=${variance}&o=${letters(rows.map(({ from }) => from))}`
    : `x=${encoded(rows.flatMap(({ x }) => [...x]))}`;
  return `${own}&c=${letters(columns)}`;
}

// The set of an address, or null if it holds none.
export function setAt(address, n, d) {
  const found = new URLSearchParams(address.replace(/^#/, ""));
  const columns = numbers(found.get("c") ?? letters([...Array(d).keys()]));
  if ([...columns].sort().join() !== [...Array(d).keys()].join()) return null;
  return found.has("x") ? withEntries(found.get("x"), columns, n) : asDrawn(found, columns, n);
}

function asDrawn(found, columns, n) {
  const [seed, variance] = [Number(found.get("s") ?? NaN), Number(found.get("v") ?? 1)];
  const places = numbers(found.get("o") ?? letters([...Array(n).keys()]));
  const holds = Number.isInteger(seed) && seed >= 0 && variance > 0 && variance <= 9
    && places.length > 0 && places.length <= n && places.every((place) => place >= 0 && place < n);
  if (!holds) return null;
  const set = fresh(n, columns.length, seed, variance);
  const rows = places.map((from) => ({ from, x: set.rows[from].x.map((_, j, x) => x[columns[j]]) }));
  return { ...set, rows, columns };
}

function withEntries(text, columns, n) {
  const [entries, d] = [decoded(text), columns.length];
  const k = entries.length / d;
  if (!Number.isInteger(k) || k < 1 || k > n || !entries.every(Number.isFinite)) return null;
  const rows = Array.from({ length: k }, (_, from) => (
    { from, x: entries.slice(from * d, (from + 1) * d) }));
  return { rows, columns, n, seed: 0, variance: 1 };
}

// Float32 as base64 with the letters that an address may hold.
function encoded(entries) {
  const bytes = new Uint8Array(Float32Array.from(entries).buffer);
  const text = btoa(String.fromCharCode(...bytes));
  return text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function decoded(text) {
  if (!/^[\w-]*$/.test(text) || text.length % 4 === 1) return new Float32Array(0);
  const bytes = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const whole = bytes.length - (bytes.length % 4);
  return new Float32Array(Uint8Array.from(bytes.slice(0, whole), (c) => c.charCodeAt(0)).buffer);
}
