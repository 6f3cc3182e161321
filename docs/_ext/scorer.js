/* Search results: Sphinx's own scores, and internals of the library behind all else. */
var Scorer = {
  score: ([page, , , , score]) => (page.startsWith("api/generated/internals/") ? score - 100 : score),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
