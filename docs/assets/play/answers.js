// The models' answers: what each claims to ignore, its logit on one axis, and the verdict.

import { attribute, element, number, style, textIn, write } from "./dom.js";

const END = 3; // the axis runs from −3 to 3; what lies beyond stands at its end
export const along = (logit) => (Math.max(-END, Math.min(END, logit)) + END) / (2 * END);
export const to = (logit) => `translateX(${(100 * along(logit)).toFixed(2)}%)`;

const cell = (name, ...children) => element("span", { role: "cell", class: name }, ...children);

function answerOf(model) {
  const marks = Object.fromEntries(["ideal", "trail", "before", "now"].map((name) => (
    [name, element("span", { class: `play-mark play-${name}` })])));
  const axis = element("span", { class: "play-axis", "aria-hidden": "true" }, ...Object.values(marks));
  const guess = element("input", { type: "checkbox", "aria-label": `${model.name} will move` });
  const label = element("label", { class: "play-guess" }, guess, " moves");
  const [logit, words] = [element("span"), element("span")];
  const node = element("div", { role: "row", class: "play-answer", "data-model": model.name },
    cell("play-name", model.name), cell("play-ignores", model.ignores), cell("play-line", axis),
    cell("play-logit", logit), cell("play-verdict", words, label));
  label.hidden = true;
  return { model, node, marks, guess, label, logit: textIn(logit), words: textIn(words) };
}

function headOf() {
  const names = ["model", "ignores", "", "logit", ""];
  const scale = element("span", { class: "play-scale", "aria-hidden": "true" },
    ...[-END, 0, END].map((tick) => element("span", {}, number(tick, 0))));
  const cells = names.map((name, i) => (
    element("span", { role: "columnheader" }, i === 2 ? scale : name)));
  cells[2].setAttribute("aria-label", "axis");
  cells[4].setAttribute("aria-label", "verdict");
  return element("div", { role: "row", class: "play-answer play-head" }, ...cells);
}

export function answersView(models) {
  const answers = models.map(answerOf);
  const ideal = answerOf({ name: "the ideal logit", ignores: "" });
  delete ideal.node.dataset.model;
  ideal.node.classList.add("play-of-ideal");
  const node = element("div", { role: "table", class: "play-answers", "aria-label": "Answers" },
    headOf(), ideal.node, ...answers.map((answer) => answer.node));
  const seen = new Set(models.map(({ name }) => name));
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries)
      seen[isIntersecting ? "add" : "delete"](target.dataset.model);
  });
  for (const answer of answers) watch.observe(answer.node);

  // While an action goes on, there are no verdicts yet.
  function draw({ best, before, now, verdicts }) {
    for (const answer of [ideal, ...answers]) style(answer.marks.ideal, "transform", to(best));
    write(ideal.logit, number(best, 2));
    for (const { model, marks, logit, words, node } of answers) {
      const [old, value] = [before[model.name], now[model.name]];
      style(marks.now, "transform", to(value));
      style(marks.before, "transform", to(old));
      const way = (along(value) - along(old)).toFixed(4);
      style(marks.trail, "transform", `${to(old)} scaleX(${way})`);
      write(logit, number(value, 2));
      const [text, kind] = verdicts?.[model.name] ?? ["", ""];
      write(words, text);
      attribute(node, "data-verdict", kind);
    }
  }

  // Hides the answers while the reader foresees them: "moving", then "asking", then "".
  function ask(stage) {
    attribute(node, "data-stage", stage);
    for (const { label, guess } of answers) {
      if (stage === "moving") guess.checked = false;
      label.hidden = stage !== "asking";
    }
  }

  const guesses = () => (
    Object.fromEntries(answers.map(({ model, guess }) => [model.name, guess.checked])));
  return { node, draw, ask, guesses, seen };
}
