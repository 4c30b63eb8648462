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
});

// Folds are called by their titles. Their buttons are made when the page has loaded, before this event.
addEventListener("load", () => {
  for (const button of document.querySelectorAll("button.toggle-button")) {
    button.setAttribute("aria-label", button.closest(".admonition-title").textContent.trim());
  }
});
