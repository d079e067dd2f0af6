// Puts a picture that moves into the place of a still one.
//
// A picture is an object:
//   state     what no control shows, by name
//   controls  by name: a range { label, min, max, step, value, shows }, radio buttons
//             { label, options, value }, or a button { label, press }, with press(values) -> changes
//   draw      (values) -> { svg, size, sentence, numbers }, with no other effect
//   point     (x, y, values, begins) -> changes, if a pointer can move something in the drawing
//   hover     whether the pointer need not be pressed
//   keeps     whether the still figure stays above it

let count = 0;

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function range({ label, min, max, step, value, shows = String }, changed) {
  const id = `moving-${++count}`;
  const input = make("input", { type: "range", id, min, max, step });
  const output = make("output");
  const set = (value) => {
    input.value = value;
    input.setAttribute("aria-valuetext", output.textContent = shows(value).replace("-", "−"));
  };
  set(value);
  input.addEventListener("input", () => {
    set(Number(input.value));
    changed(Number(input.value));
  });
  return { set, parts: [make("div", { className: "range" },
    make("label", { htmlFor: id, textContent: label }), input, output)] };
}

function radios({ label, options, value }, changed) {
  const name = `moving-${++count}`;
  const inputs = options.map((option) => make("input", { type: "radio", name, value: option }));
  const set = (value) => inputs.forEach((input) => input.checked = input.value === String(value));
  set(value);
  options.forEach((option, i) => inputs[i].addEventListener("change", () => changed(option)));
  const labels = options.map((option, i) => make("label", {}, inputs[i], String(option)));
  return { set, parts: [make("fieldset", {}, make("legend", { textContent: label }), ...labels)] };
}

function button({ label }, pressed) {
  const element = make("button", { type: "button", textContent: label });
  element.addEventListener("click", pressed);
  return { set() {}, parts: [element] };
}

// A pointer on the drawing, in the drawing's own units.
function follow(drawing, { point, hover }, change) {
  const at = (event, begins) => {
    const place = new DOMPoint(event.clientX, event.clientY);
    const { x, y } = place.matrixTransform(drawing.getScreenCTM().inverse());
    change((values) => point(x, y, values, begins));
  };
  drawing.addEventListener("pointerdown", (event) => {
    drawing.setPointerCapture(event.pointerId);
    at(event, true);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (hover || event.buttons) at(event, false);
  });
}

export function move(figure, picture) {
  const values = { ...picture.state };
  const controls = {};
  const panel = make("div", { className: "controls" });
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const says = make("p", { className: "says" });
  says.setAttribute("aria-live", "polite");
  drawing.setAttribute("role", "img");

  const show = () => {
    const { svg, size, sentence } = picture.draw(values);
    drawing.innerHTML = svg;
    drawing.setAttribute("viewBox", `0 0 ${size.join(" ")}`);
    drawing.setAttribute("aria-label", sentence);
    says.textContent = sentence;
  };
  let due = 0;
  const soon = () => {
    due ||= requestAnimationFrame(() => {
      due = 0;
      show();
    });
  };
  const change = (of) => {
    const changes = of(values);
    Object.assign(values, changes);
    for (const name of Object.keys(changes)) controls[name]?.set(changes[name]);
    soon();
  };
  for (const [name, control] of Object.entries(picture.controls)) {
    const kind = control.press ? button : control.options ? radios : range;
    if (!control.press) values[name] = control.value;
    controls[name] = kind(control, (value) => change(control.press ?? (() => ({ [name]: value }))));
    panel.append(...controls[name].parts);
  }
  if (picture.point) {
    follow(drawing, picture, change);
    drawing.classList.add("pointed");
  }
  // While a hand moves, the sentence is not read out; it is when the hand rests.
  const box = make("div", { className: "moving" }, panel, drawing, says);
  box.addEventListener("pointerdown", () => says.setAttribute("aria-busy", "true"));
  for (const end of ["pointerup", "pointercancel"])
    box.addEventListener(end, () => says.setAttribute("aria-busy", "false"));

  show(); // before the still figure goes, which stays if this fails
  const still = figure.querySelector(".scroll");
  if (still && picture.keeps) return still.after(box);
  still?.remove();
  figure.querySelector("figcaption")?.remove(); // it speaks of the still one
  figure.prepend(box);
}
