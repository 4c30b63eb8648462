// One switch in the head of a page hides or shows all of its code. The choice holds for all pages.
(() => {
  const key = "icg-code";
  const hidden = () => document.documentElement.classList.contains("icg-no-code");
  const hide = (yes) => document.documentElement.classList.toggle("icg-no-code", yes);
  try {
    hide(localStorage.getItem(key) === "hidden"); // before the page is drawn
  } catch {
    // a browser that keeps nothing, or a page from a folder
  }
  document.addEventListener("DOMContentLoaded", () => {
    const bar = document.querySelector(".article-header-buttons");
    if (!bar || !document.querySelector("article div.cell_input")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn icg-code-switch";
    button.textContent = "</>";
    const say = () => {
      button.setAttribute("aria-label", hidden() ? "Show all code" : "Hide all code");
      button.title = button.getAttribute("aria-label");
    };
    button.addEventListener("click", () => {
      const top = button.getBoundingClientRect().top;
      const seen = [...document.querySelectorAll("article h1, article h2, article h3, article p")].find(
        (part) => part.getBoundingClientRect().top > top,
      );
      const before = seen?.getBoundingClientRect().top;
      hide(!hidden());
      if (seen) window.scrollBy(0, seen.getBoundingClientRect().top - before); // the reader stays where they were
      try {
        localStorage.setItem(key, hidden() ? "hidden" : "shown");
      } catch {
        // see above
      }
      say();
    });
    say();
    bar.prepend(button);
  });
})();
