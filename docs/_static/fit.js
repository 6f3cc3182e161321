// A formula that is wider than its place is drawn smaller, down to a third of its size: nothing is cut.
(() => {
  const LEAST = 0.35;

  const room = (formula) => {
    let box = formula.parentElement;
    while (getComputedStyle(box).display === "inline") box = box.parentElement;
    const style = getComputedStyle(box);
    return box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  };

  const fit = (formula) => {
    const inner = formula.querySelector("mjx-math");
    if (!inner) return;
    formula.dataset.size ??= parseFloat(formula.style.fontSize) || 100;
    formula.style.fontSize = `${formula.dataset.size}%`;
    const wide = inner.getBoundingClientRect().width;
    const place = room(formula);
    if (place > 0 && wide > place) {
      const share = Math.max(LEAST, (place - 2) / wide);
      formula.style.fontSize = `${formula.dataset.size * share}%`;
    }
  };

  const fitAll = () => document.querySelectorAll("article mjx-container").forEach(fit);

  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(fitAll, 50);
  });
  // What is folded has no width until it is opened.
  addEventListener("toggle", fitAll, true);
  addEventListener("load", () => window.MathJax?.startup?.promise.then(fitAll));
})();
