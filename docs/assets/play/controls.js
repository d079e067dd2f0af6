// What stands around the set and the answers: buttons, the entry to change, the guess, the sentence.

import { attribute, element, number, textIn, write } from "./dom.js";
import { ACTIONS } from "./set.js";
import { LARGEST } from "./rows.js";

// Buttons in named groups; `press(name)` hears of them.
export function toolbar(variances, may, press) {
  const groups = new Map();
  for (const [name, [label, group]] of Object.entries(ACTIONS)) {
    if (!may(name)) continue;
    const text = label || `variance ${variances[Number(name.slice(-1)) - 1]}`;
    const button = element("button", { type: "button", "data-action": name }, text);
    button.addEventListener("click", () => press(name));
    if (!groups.has(group)) {
      const title = element("span", { "aria-hidden": "true" }, group);
      groups.set(group, element("div", { role: "group", "aria-label": group }, title));
    }
    groups.get(group).append(button);
  }
  return element("div", { class: "play-tools" }, ...groups.values());
}

// A range for the chosen entry; `change(value)` hears of each step, `end()` of the last.
export function editor(change, end) {
  const range = element("input", { type: "range", min: -LARGEST, max: LARGEST, step: 0.01 });
  const [name, value] = [element("span"), element("output")];
  const node = element("label", { class: "play-editor" }, name, range, value);
  const [nameText, valueText] = [textIn(name), textIn(value)];
  range.addEventListener("input", () => change(range.valueAsNumber));
  range.addEventListener("change", end);
  function draw({ i, j }, entry) {
    write(nameText, `Row ${i + 1}, column ${j + 1}`);
    write(valueText, number(entry, 2));
    attribute(range, "aria-valuetext", number(entry, 2));
    if (range.valueAsNumber !== entry) range.value = entry;
  }
  return { node, draw };
}

// The switch "guess first", and the button that ends a guess; `end()` hears of both.
export function guesser(end) {
  const toggle = element("input", { type: "checkbox" });
  const label = element("label", {}, toggle, " Guess first");
  const reveal = element("button", { type: "button" }, "Reveal");
  const node = element("div", { class: "play-first" }, label, reveal);
  reveal.hidden = true;
  toggle.addEventListener("change", end);
  reveal.addEventListener("click", () => {
    toggle.focus();
    end();
  });
  return { node, wanted: () => toggle.checked, ask: (open) => { reveal.hidden = !open; } };
}
