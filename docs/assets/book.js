// A box whose content is wider than itself must be reachable by keyboard, to be scrolled.
function reach() {
  for (const box of document.querySelectorAll(".formula, .scroll, pre > code, .md-typeset__scrollwrap")) {
    const scrolls = box.scrollWidth > box.clientWidth;
    box.toggleAttribute("tabindex", scrolls);
    if (scrolls) box.tabIndex = 0;
  }
}
addEventListener("load", reach);
addEventListener("resize", reach);

// The theme gives its search dialog no name.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");

// What a reader can move: its scripts are loaded when such a place comes near the view, from files
// as well as from a server. `data-needs` names the data that it waits for.
const BOOK = { data: {} };
{
  const here = document.currentScript.src;
  const loaded = {};
  const load = (name) => loaded[name] ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: new URL(name, here), onload: resolve, onerror: reject });
    document.head.append(script);
  });
  const start = async (box) => {
    const needs = (box.dataset.needs ?? "").split(" ").filter(Boolean);
    await Promise.all([load("play.js"), ...needs.map((name) => load(`play/${name}.js`))]);
    BOOK.play["main.js"].start(box);
  };
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      start(target);
    }
  }, { rootMargin: "500px" });
  const seen = new WeakSet();
  const look = () => {
    for (const box of document.querySelectorAll("[data-play], [data-moves]")) {
      if (!seen.has(box)) near.observe(box);
      seen.add(box);
    }
  };
  addEventListener("load", look);
  addEventListener("resize", look); // a server has filled the page, see served.js
}
