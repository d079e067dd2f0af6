// A slide has 1280 by 720 units, whatever the screen. Where its words need more, they get smaller, but
// never smaller than a thirtieth of the height: the last row of a hall must read them.
const WIDTH = 1280, HEIGHT = 720, SMALLEST = 24;

function wide(section) {
  const right = section.getBoundingClientRect().right - 60;
  return [...section.querySelectorAll(".katex-base, table")].some(
    part => part.getBoundingClientRect().right > right);
}

async function fit() {
  document.body.classList.add("measured");
  document.body.offsetHeight; // asks for the fonts
  await document.fonts.ready;
  for (const section of document.querySelectorAll(".slides > section")) {
    for (let size = 40; size > SMALLEST && (section.scrollHeight > HEIGHT || wide(section)); )
      section.style.fontSize = `${--size}px`;
  }
  document.body.classList.remove("measured");
}

fit().then(() => Reveal.initialize({
  width: WIDTH,
  height: HEIGHT,
  margin: 0,
  hash: true,
  slideNumber: "c/t",
  transition: matchMedia("(prefers-reduced-motion: reduce)").matches ? "none" : "fade",
}));
