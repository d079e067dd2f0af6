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
