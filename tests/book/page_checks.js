// What the browser's tests ask of a page: they load this file beside axe.

// --- The whole page ---

function faultsOfWhole() {
  const faults = [];
  const box = document.documentElement;
  if (box.scrollWidth > innerWidth) faults.push(`the page is ${box.scrollWidth} px wide`);
  const text = document.querySelector(".md-content").innerText;
  for (const tex of text.match(/\$[^$\n]{1,80}\$|\\[([].{1,80}?\\[)\]]/g) ?? []) {
    if (![...document.querySelectorAll("pre, code")].some((e) => e.innerText.includes(tex)))
      faults.push(`not typeset: ${tex}`);
  }
  for (const math of document.querySelectorAll(".katex-html")) {
    const hidden = math.closest("details:not([open])");
    if (!hidden && !math.getBoundingClientRect().width) faults.push(`invisible: ${math.innerText}`);
  }
  for (const plot of document.querySelectorAll(".plot :is(svg, img)")) {
    if (!plot.parentElement.closest(".scroll")) continue;
    const { width, height } = plot.getBoundingClientRect();
    if (width < 200 || height < 100) faults.push(`a plot of ${width} by ${height} px`);
  }
  // Axe would find it, but takes the theme's search for an open dialog, and then says nothing.
  for (const element of document.querySelectorAll("[aria-hidden=true], [aria-hidden=true] *")) {
    if (element.tabIndex >= 0 && element.checkVisibility({ visibilityProperty: true }))
      faults.push(`hidden, but the keyboard reaches it: ${element.outerHTML}`);
  }
  return faults;
}

// The theme lets the keyboard into code that scrolls, a moment after the width has changed.
function settled(scheme) {
  return document.body.dataset.mdColorScheme == scheme
    && document.fonts.status == "loaded"
    && [...document.querySelectorAll("pre > code")]
      .every((code) => code.scrollWidth <= code.clientWidth || code.tabIndex == 0);
}

// --- Thinning ---

// Axe takes its time for each element, and most elements are parts of formulas, figures and code,
// which differ in what they say, and not in how they look or what they are. One of each kind stays.

const WHOLE = ".katex, svg[role=img]";
const CODE = "pre > code";
const MENU = ".md-nav__item";
const MEANS = /^(role|tabindex|href|title|alt|for|lang|contenteditable|aria-.*)$/;
const VALUED = /^(role|tabindex|aria-hidden)$/;
const MATHML = "http://www.w3.org/1998/Math/MathML"; // never shown, and without roles
const kinds = new Map();

function elements(box) {
  const all = [...box.querySelectorAll("*:not(style)")];
  return all.filter((element) => element.namespaceURI != MATHML);
}

// The text of an element's own; a formula has spaces of no width.
function texts(element) {
  return [...element.childNodes].filter(
    (node) => node.nodeType == Node.TEXT_NODE && /[^\s\u200b]/.test(node.data));
}

function meaning(element) {
  const attributes = [...element.attributes]
    .filter(({ name }) => MEANS.test(name))
    .map(({ name, value }) => (VALUED.test(name) ? `${name}=${value}` : name));
  const silent = element.textContent.trim() ? [] : ["silent"];
  return [element.localName, ...attributes.sort(), ...silent].join(" ");
}

// Adds to each element's kind how it looks in this view: its ink and what lies under it.
function read() {
  const grounds = new Map([[null, ""]]);
  const ground = (element) => {
    if (!grounds.has(element)) {
      const { backgroundColor: color, backgroundImage: image, opacity } = getComputedStyle(element);
      const own = `${color} ${image} ${opacity}`;
      const under = color.startsWith("rgb(") ? "" : ground(element.parentElement);
      grounds.set(element, own == "rgba(0, 0, 0, 0) none 1" ? under : `${own} on ${under}`);
    }
    return grounds.get(element);
  };
  for (const box of document.querySelectorAll(`${WHOLE}, ${CODE}, ${MENU}`)) {
    for (const element of elements(box)) {
      let kind = kinds.get(element) ?? meaning(element);
      if (texts(element).length) {
        const { color, fontSize, fontWeight, visibility } = getComputedStyle(element);
        const size = parseFloat(fontSize);
        const large = size >= 24 || (size >= 18.66 && fontWeight >= 700); // WCAG asks less of it
        kind += `|${color} ${large} ${visibility} on ${ground(element)}`;
      }
      kinds.set(element, kind);
    }
  }
}

// What stands for a formula. It scrolls or widens its box as the formula did, whose line may break
// between its parts if lines may break at all; its end is text, or axe sees nothing to scroll to.
function blank(formula) {
  const parts = [...formula.querySelectorAll(".katex-base")];
  const widths = parts.map((part) => part.getBoundingClientRect().width);
  const whole = getComputedStyle(formula).whiteSpace == "nowrap";
  const width = whole ? widths.reduce((sum, part) => sum + part, 0) : Math.max(0, ...widths);
  const span = document.createElement("span");
  span.textContent = "x";
  span.ariaHidden = "true"; // axe takes no name from a formula
  span.style = `display: inline-block; text-align: right; width: ${width}px`;
  return span;
}

// Empties formulas and figures, and unwraps tokens of code, whose kinds have been seen. Axe judges
// the color of words, and not of single characters and signs, so what stays becomes a word.
function thin() {
  const seen = new Set();
  const known = (kind) => seen.has(kind) || !seen.add(kind);
  const boxes = [...document.querySelectorAll(WHOLE)]
    .map((box) => ({ box, inside: elements(box), size: box.querySelectorAll("*").length }))
    .sort((one, other) => one.size - other.size); // what stays is small
  const [same, kept] = [[], []];
  for (const { box, inside } of boxes) {
    const fresh = inside.filter((element) => !known(kinds.get(element)));
    if (fresh.length) kept.push(...inside);
    else same.push(box);
  }
  const blanks = same.map((box) => (box.matches(".katex") ? [blank(box)] : []));
  same.forEach((box, i) => box.replaceChildren(...blanks[i]));
  seen.clear();
  for (const item of document.querySelectorAll(MENU)) {
    const fresh = elements(item).filter((element) => !known(kinds.get(element)));
    if (!fresh.length) item.remove();
  }
  seen.clear();
  for (const code of document.querySelectorAll(CODE)) {
    for (const token of elements(code)) {
      if (known(kinds.get(token))) token.replaceWith(...token.childNodes);
      else kept.push(token);
    }
    code.normalize();
  }
  for (const text of kept.flatMap(texts)) text.data += "ab";
}
