// The rows of a set as a list: a grip, five bars about a line, a number, a button that deletes.
//
// Elements are made once, and each keeps its place: what is in them moves. So the order of the page
// is the order of the set, for a screen reader too, and an action makes no new nodes.

import { attribute, element, number, still, style, textIn, write } from "./dom.js";
import { draggable } from "./drag.js";

export const LARGEST = 3; // the reader can make no entry larger
const SHOWN = 2.5; // nor does a bar show more

const GLIDE = { duration: 160, easing: "ease-out" };
const inside = (value, end) => Math.max(-end, Math.min(end, value));
export const tall = (entry) => `scaleY(${(inside(entry, SHOWN) / SHOWN).toFixed(4)})`;

function barOf() {
  const fill = element("i");
  const node = element("span", {
    role: "spinbutton", class: "play-bar", tabindex: "-1",
    "aria-valuemin": -LARGEST, "aria-valuemax": LARGEST,
  }, fill);
  return { node, fill };
}

function rowOf(d) {
  const grip = element("button", { type: "button", class: "play-grip" }, "⠿");
  const place = element("span", { class: "play-place" });
  const bars = Array.from({ length: d }, barOf);
  const line = element("span", { class: "play-bars" }, ...bars.map(({ node }) => node));
  const drop = element("button", { type: "button", class: "play-drop" }, "×");
  const item = element("li", {}, grip, line, place, drop);
  return { item, grip, bars, drop, place: textIn(place), placeNode: place };
}

// `on` holds what to do: choose, entry, edit, drag, drop, cancel, move, remove, copy.
export function rowsView(n, d, on, may) {
  const rows = Array.from({ length: n }, () => rowOf(d));
  const heads = Array.from({ length: d }, () => element("span"));
  const names = heads.map((head) => textIn(head));
  const list = element("ol", { class: "play-rows" }, ...rows.map(({ item }) => item));
  const head = element("div", { class: "play-heads", "aria-hidden": "true" }, ...heads);
  const node = element("div", { class: "play-set" }, head, list);
  for (const row of rows) row.drop.hidden = !may("delete");
  draggable(list, { ...on, edit: may("edit") ? on.edit : () => {} });
  list.addEventListener("click", (event) => clicked(event, list, on));
  list.addEventListener("keydown", (event) => keyed(event, list, rows, on, may));

  function draw(set, chosen, ranks, lifted) {
    rows.forEach((row, i) => {
      const data = set.rows[i];
      if (row.item.hidden === Boolean(data)) row.item.hidden = !data;
      if (data) drawRow(row, i, data, set, chosen, ranks);
      const offset = lifted?.i === i ? `translateY(${lifted.offset}px)` : "none";
      style(row.item, "transform", offset);
      attribute(row.item, "data-lifted", String(lifted?.i === i));
    });
    set.columns.forEach((color, j) => {
      attribute(heads[j], "data-color", String(color));
      write(names[j], "abcdefghijklmnopqrstuvwxyz"[color]);
    });
  }

  // Lets rows and columns glide from where they were.
  function glide(before, after, lifted) {
    if (still()) return;
    after.rows.forEach((row, i) => {
      const old = before.rows.indexOf(row);
      if (old < 0 || old === i || i === lifted) return;
      rows[i].item.animate([{ transform: `translateY(${(old - i) * 100}%)` }, {}], GLIDE);
    });
    after.columns.forEach((color, j) => {
      const way = (before.columns.indexOf(color) - j) * 100;
      if (!way) return;
      const moving = [heads[j], ...rows.map(({ bars }) => bars[j].node)];
      for (const cell of moving) cell.animate([{ transform: `translateX(${way}%)` }, {}], GLIDE);
    });
  }

  const focus = (i) => rows[i].grip.focus({ preventScroll: true });
  return { node, draw, glide, focus };
}

function drawRow(row, i, { x }, { rows, columns }, chosen, ranks) {
  const entries = [...x].map((entry) => number(entry));
  attribute(row.grip, "aria-label", `Row ${i + 1} of ${rows.length}: ${entries.join(", ")}`);
  attribute(row.drop, "aria-label", `Delete row ${i + 1}`);
  attribute(row.item, "data-chosen", String(chosen.i === i));
  row.bars.forEach(({ node, fill }, j) => {
    attribute(node, "aria-label", `Row ${i + 1}, column ${j + 1}`);
    attribute(node, "aria-valuenow", inside(x[j], LARGEST).toFixed(2));
    attribute(node, "aria-valuetext", number(x[j], 2));
    attribute(node, "data-color", String(columns[j]));
    attribute(node, "data-chosen", String(chosen.i === i && chosen.j === j));
    style(fill, "transform", tall(x[j]));
  });
  write(row.place, ranks ? String(ranks.now[i] + 1) : "");
  attribute(row.placeNode, "data-moved", String(Boolean(ranks) && ranks.torn.has(i)));
}

function placeOf(target, list) {
  const item = target.closest("li");
  const bar = target.closest(".play-bar");
  const j = bar ? [...bar.parentNode.children].indexOf(bar) : undefined;
  return { i: [...list.children].indexOf(item), j };
}

function clicked(event, list, on) {
  const { i, j } = placeOf(event.target, list);
  if (event.target.closest(".play-drop")) on.remove(i);
  else if (j !== undefined) on.choose(i, j);
}

function keyed(event, list, rows, on, may) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { i, j } = placeOf(event.target, list);
  const last = rows.filter(({ item }) => !item.hidden).length - 1;
  const keys = j === undefined
    ? gripKeys(rows[i], i, last, on, may)
    : barKeys(rows[i], i, j, on, may);
  const isGrip = event.target.closest(".play-grip, .play-bar");
  const act = isGrip && keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function gripKeys(row, i, last, on, may) {
  return {
    ArrowUp: () => on.move(i, i - 1),
    ArrowDown: () => on.move(i, i + 1),
    Home: () => on.move(i, 0),
    End: () => on.move(i, last),
    ArrowRight: may("edit") && (() => row.bars[0].node.focus()),
    Delete: may("delete") && (() => on.remove(i)),
    c: may("copy") && (() => on.copy(i)),
  };
}

function barKeys(row, i, j, on, may) {
  const go = (k) => (row.bars[k]?.node ?? row.grip).focus();
  const step = (by) => may("edit") && (() => on.step(i, j, by));
  return {
    ArrowLeft: () => go(j - 1),
    ArrowRight: () => go(Math.min(j + 1, row.bars.length - 1)),
    Escape: () => row.grip.focus(),
    ArrowUp: step(0.1),
    ArrowDown: step(-0.1),
  };
}
