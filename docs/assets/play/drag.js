// Rows dragged by their grips, and entries by their bars, with a mouse, a finger or a pen.
//
// The list holds the pointer, not the row: rows change places under it. A finger on a bar scrolls
// the page, as it would anywhere; it chooses an entry, and a range below the rows changes it.

const UNIT = 24; // pixels of the pointer's way per 1 of an entry

export function draggable(list, on) {
  let held = null;
  const end = (finish) => {
    if (!held) return;
    const { pointer, moved } = held;
    held = null;
    if (list.hasPointerCapture(pointer)) list.releasePointerCapture(pointer);
    if (moved) finish();
  };
  list.addEventListener("pointerdown", (event) => {
    const item = event.target.closest("li");
    if (event.button !== 0 || held || !item) return;
    const i = [...list.children].indexOf(item);
    const bar = event.target.closest(".play-bar");
    const y = event.clientY;
    if (event.target.closest(".play-grip")) held = { i, y, height: item.offsetHeight };
    else if (bar && event.pointerType === "mouse") {
      const j = [...bar.parentNode.children].indexOf(bar);
      held = { i, j, y, value: on.entry(i, j) };
    }
    if (!held) return;
    Object.assign(held, { pointer: event.pointerId, moved: false });
    list.setPointerCapture(event.pointerId);
    on.choose(i, held.j);
  });
  list.addEventListener("pointermove", (event) => {
    if (!held || event.pointerId !== held.pointer) return;
    const { i, j, y, height, value } = held;
    const way = event.clientY - y;
    if (!held.moved && Math.abs(way) < 3) return;
    held.moved = true;
    if (j !== undefined) on.edit(i, j, Math.round((value - way / UNIT) * 100) / 100);
    else on.drag(i, way, height);
  });
  list.addEventListener("pointerup", () => end(on.drop));
  list.addEventListener("pointercancel", () => end(on.cancel));
  list.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && held) end(on.cancel);
  });
}
