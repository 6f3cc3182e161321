/* Search results: Sphinx's own scores, but a section with the very title comes before a page that
   has the word in one of its titles, and internals of the library come after all else. */
var Scorer = {
  score: ([page, , , , score, , kind]) => {
    if (page.startsWith("api/generated/internals/")) return score - 100;
    return kind === "title" ? score + 2 : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
