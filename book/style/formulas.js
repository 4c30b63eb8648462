// Formulas: TeX between Sphinx's delimiters becomes HTML and MathML, a few at a time, so that the page stays quick.
(() => {
  const waiting = [...document.querySelectorAll(".math")];
  const set = (node) => {
    // A numbered formula has its number beside the TeX.
    const text = [...node.childNodes].find((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
    const [, tex] = text.data.trim().match(/^\\[([]([^]*)\\[)\]]$/);
    const place = document.createElement("span");
    katex.render(tex, place, { displayMode: node.tagName === "DIV", throwOnError: false });
    text.replaceWith(...place.childNodes);
    node.dataset.set = "";
    const wide = node.querySelector(".katex-display");
    if (wide && wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0; // it scrolls, by keys as well
  };
  const some = () => {
    const end = performance.now() + 8;
    while (waiting.length && performance.now() < end) set(waiting.shift());
    if (waiting.length) setTimeout(some);
  };
  some();
})();
