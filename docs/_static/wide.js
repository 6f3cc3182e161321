// What is wider than its place: boxes that scroll say so, tables of sentences become lists on a
// phone, and figures open in full size.
(() => {
  const BOXES = ".table-wrapper, .cell_output, .cell_output pre, .highlight pre, mjx-container[display]";
  const PHONE = matchMedia("(max-width: 46rem)");
  // A row taller than this, in pixels, is a sentence squeezed into a narrow column.
  const TALL = 150;

  const mark = (box) => {
    const hidden = box.scrollWidth - box.clientWidth;
    box.classList.toggle("wide", hidden > 1);
    box.classList.toggle("more", hidden - box.scrollLeft > 1);
  };

  const list = (table) => {
    table.classList.remove("listed");
    const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
    if (!PHONE.matches || !heads.length) return;
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    if (!rows.some((row) => row.offsetHeight > TALL)) return;
    for (const row of rows) {
      [...row.cells].forEach((cell, column) => { cell.dataset.head = heads[column] ?? ""; });
    }
    table.classList.add("listed");
  };

  const open = (image) => {
    if (image.closest("a") || image.naturalWidth < 1.2 * image.clientWidth) return;
    const link = document.createElement("a");
    Object.assign(link, { href: image.src, className: "full-size", title: "Open in full size" });
    image.replaceWith(link);
    link.append(image);
  };

  const all = () => {
    document.querySelectorAll("article .table-wrapper > table").forEach(list);
    document.querySelectorAll("article").forEach((article) => {
      article.querySelectorAll(BOXES).forEach(mark);
      article.querySelectorAll("img").forEach(open);
    });
  };

  let waiting;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(all, 80);  // after fit.js
  };
  addEventListener("resize", soon);
  addEventListener("toggle", soon, true);
  addEventListener("scroll", (event) => event.target.matches?.(BOXES) && mark(event.target), true);
  addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(soon));
})();
