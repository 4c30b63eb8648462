// What scrolls is a stop of the Tab key, so that keys scroll it, and what does not is none. A wide table says, while
// there is more to its right, that it scrolls; a wide figure says so by itself (press/pictures.py). The theme looks when
// a page opens and, late, when its window changes; folds open in between.
document.addEventListener("DOMContentLoaded", () => {
  const TABLES = 'div[style*="overflow-x: auto"], .pst-scrollable-table-container', FIGURES = ".icg-scroll";
  const NAMED = { tabindex: 0, role: "group", "aria-label": "figure, scrolls sideways" };
  const look = (box) => {
    const more = box.scrollWidth - box.clientWidth, scrolls = more > 0 || box.scrollHeight > box.clientHeight;
    if (box.matches(TABLES)) {
      box.classList.toggle("icg-scrolls", more > 1);
      box.classList.toggle("icg-more", more - box.scrollLeft > 1);
    }
    if (!box.matches(FIGURES)) box.tabIndex = scrolls ? 0 : -1;
    else if (scrolls) for (const [name, value] of Object.entries(NAMED)) box.setAttribute(name, value);
    else for (const name in NAMED) box.removeAttribute(name);
  };
  const watch = new ResizeObserver((seen) => seen.forEach(({ target }) => look(target)));
  for (const box of document.querySelectorAll(`article :is(pre, .cell_output > .output, ${TABLES}, ${FIGURES})`)) {
    watch.observe(box); // also when it is unfolded
    box.addEventListener("scroll", () => look(box), { passive: true });
  }
});
