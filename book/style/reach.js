// A page by keyboard and by ear, where the theme's scripts leave something out.
document.addEventListener("DOMContentLoaded", () => {
  const article = document.querySelector("article");
  if (!article) return;

  // The first stop of the Tab key leads past the navigation and the head's buttons.
  const skip = document.querySelector(".skip-link a");
  if (skip) {
    article.id ||= "icg-article";
    article.tabIndex = -1;
    skip.textContent = "Skip to the article";
    skip.hash = article.id;
  }

  // What scrolls can be scrolled by keys. The theme looks when a page opens; folds open later.
  const reach = () => {
    for (const box of article.querySelectorAll("pre, .cell_output > .output")) {
      box.tabIndex = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight ? 0 : -1;
    }
  };
  new ResizeObserver(reach).observe(article);
});

// Folds are called by their titles. Their buttons are made when the page has loaded, before this event.
addEventListener("load", () => {
  for (const button of document.querySelectorAll("button.toggle-button")) {
    button.setAttribute("aria-label", button.closest(".admonition-title").textContent.trim());
  }
});
