// Folds the theorems, so that the page is short, and filters them by words.
addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector("article table");
  const sections = [...document.querySelectorAll("article section[id^='ledger-']")];
  const groups = [...document.querySelectorAll("article section")].filter(
    (group) => group.querySelector(":scope > section[id^='ledger-']"));

  const open = (section) => {
    section.classList.remove("folded");
    dispatchEvent(new Event("resize")); // formulas fit themselves to their place
  };
  for (const section of sections) {
    section.classList.add("folded");
    const heading = section.querySelector("h3");
    heading.tabIndex = 0;
    const turn = (event) => {
      if (event.target.closest("a")) return;
      if (section.classList.contains("folded")) open(section);
      else section.classList.add("folded");
    };
    heading.addEventListener("click", turn);
    heading.addEventListener("keydown", (event) => { if (event.key === "Enter") turn(event); });
  }

  const goTo = () => {
    const target = document.getElementById(location.hash.slice(1) || "none");
    const section = target?.closest("section[id^='ledger-']");
    if (section) {
      open(section);
      section.scrollIntoView();
    }
  };
  addEventListener("hashchange", goTo);
  goTo();

  const words = new Map(sections.map((section) => [section.id, section.textContent.toLowerCase()]));
  const filter = document.createElement("input");
  filter.type = "search";
  filter.className = "ledger-filter";
  filter.placeholder = "Filter: T5, symbolic, periodic, noise …";
  filter.setAttribute("aria-label", "Filter the theorems by words");
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = (id) => wanted.every((word) => words.get(id).includes(word));
    for (const section of sections) section.hidden = !shown(section.id);
    for (const group of groups) group.hidden = !group.querySelector("section:not([hidden])");
    for (const row of table.tBodies[0].rows) {
      row.hidden = !shown(row.querySelector("a").hash.slice(1));
    }
  });
  table.parentElement.before(filter);
});
