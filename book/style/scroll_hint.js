// A box that scrolls sideways says so, while there is more to its right.
(() => {
  const BOXES = 'article div[style*="overflow-x: auto"], article .pst-scrollable-table-container';
  document.addEventListener("DOMContentLoaded", () => {
    const look = (box) => {
      const more = box.scrollWidth - box.clientWidth;
      box.classList.toggle("icg-scrolls", more > 1);
      box.classList.toggle("icg-more", more - box.scrollLeft > 1);
    };
    const watch = new ResizeObserver((seen) => seen.forEach(({ target }) => look(target)));
    for (const box of document.querySelectorAll(BOXES)) {
      watch.observe(box); // also when it is unfolded
      box.addEventListener("scroll", () => look(box), { passive: true });
    }
  });
})();
