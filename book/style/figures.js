// A figure that scrolls sideways can be reached, and scrolled, with the keyboard; one that does not is no stop.
document.addEventListener("DOMContentLoaded", () => {
  const watch = new ResizeObserver((seen) => {
    for (const { target } of seen) {
      if (target.scrollWidth > target.clientWidth) {
        target.tabIndex = 0;
        target.setAttribute("role", "group");
        target.setAttribute("aria-label", "figure, scrolls sideways");
      } else {
        for (const name of ["tabindex", "role", "aria-label"]) target.removeAttribute(name);
      }
    }
  });
  for (const box of document.querySelectorAll(".icg-scroll")) watch.observe(box);
});
