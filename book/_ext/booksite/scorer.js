// How Sphinx's search ranks pages. Its own rule counts the best word of a query alone, so that a long question ranks
// all pages alike; here each word counts, the more the fewer pages have it, and most in the title of a page.
const ofQuestions = ["how", "what", "which", "why", "when", "can", "does", "do", "my", "i"];
const wordsOf = (text) => {
  const stemmer = new Stemmer();
  return splitQuery(text.toLowerCase())
    .filter((word) => !ofQuestions.includes(word))
    .map((word) => stemmer.stemWord(word));
};
const pagesOf = (terms, word) => (terms[word] === undefined ? [] : [terms[word]].flat());

var Scorer = { // not const: searchtools.js has declared it
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([docname, , , , score]) => {
    const { docnames, titles, terms, titleterms } = Search._index;
    const page = docnames.indexOf(docname);
    const title = wordsOf(titles[page]);
    const query = new Set(wordsOf(new URLSearchParams(location.search).get("q") || ""));
    for (const word of query) {
      const rare = Math.log(docnames.length / (pagesOf(terms, word).length || 1)) + 0.5;
      if (title.includes(word)) score += 30 * rare;
      else if (pagesOf(titleterms, word).includes(page)) score += 10 * rare;
      else if (pagesOf(terms, word).includes(page)) score += 3 * rare; // not only a part of a word
    }
    return score;
  },
};
