"""Search the built pages as a browser does; fail if a word does not find its page first.

``python docs/check_search.py docs/_build/html`` prints the first hit of each word of
``_search_words.py`` that another page answers.
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

import snowballstemmer
from _search_words import WORDS
from sphinx.search.en import SearchEnglish

STEM = snowballstemmer.stemmer("english").stemWord
STOPWORDS = SearchEnglish.stopwords
TITLE, PARTIAL_TITLE, TERM, PARTIAL_TERM = 15, 7, 5, 2
NAME, PARTIAL_NAME = 11, 6
PRIORITIES = {0: 15, 1: 5, 2: -5}


def read_index(site: Path) -> dict:
    """What the builder wrote for the script of the search page."""
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text[text.index("(") + 1 : text.rindex(")")])


def half_up(number: float) -> int:
    """Round as JavaScript does."""
    return int(number + 0.5)


class Search:
    """The ranking of ``searchtools.js``, which comes with every site that Sphinx builds.

    A hit is a score, a title to order equal scores by, and the name of the page.
    """

    def __init__(self, index: dict):
        self.index = index

    def first(self, query: str) -> str | None:
        """Name of the page that the search page lists first."""
        main, others = self._entries(query)
        words = list(dict.fromkeys(re.findall(r"\w+", query)))
        hits = self._titles(query) + main
        for word in {word.lower() for word in words}:
            hits += self._objects(word, {word.lower() for word in words} - {word})
        hits += self._terms(words)
        for group in (hits, others):
            if group:
                return min(group, key=lambda hit: (-hit[0], hit[1].lower()))[2]
        return None

    def _page(self, number: int) -> str:
        return self.index["docnames"][number]

    def _titles(self, query: str) -> list:
        query, hits = query.lower().strip(), []
        for title, places in self.index["alltitles"].items():
            if query not in title.lower() or len(query) < len(title) / 2:
                continue
            for number, _ in places:
                own = self.index["titles"][number]
                shown = title if own == title else f"{own} > {title}"
                score = half_up(TITLE * len(query) / len(title)) + (own == title)
                hits.append((score, shown, self._page(number)))
        return hits

    def _entries(self, query: str) -> tuple[list, list]:
        query, main, others = query.lower().strip(), [], []
        for entry, places in self.index["indexentries"].items():
            if query not in entry or len(query) < len(entry) / 2:
                continue
            for number, _, is_main in places:
                score = half_up(100 * len(query) / len(entry))
                hit = (score, self.index["titles"][number], self._page(number))
                (main if is_main else others).append(hit)
        return main, others

    def _objects(self, word: str, other_words: set[str]) -> list:
        hits = []
        for prefix, objects in self.index["objects"].items():
            for number, kind, priority, _, name in objects:
                full = f"{prefix}.{name}" if prefix else name
                last = full.lower().split(".")[-1]
                kind_name, title = (
                    self.index["objnames"][str(kind)][2],
                    self.index["titles"][number],
                )
                haystack = f"{prefix} {name} {kind_name} {title}".lower()
                if word not in full.lower() or any(o not in haystack for o in other_words):
                    continue
                score = NAME if word in (full.lower(), last) else PARTIAL_NAME * (word in last)
                hits.append((score + PRIORITIES.get(priority, 0), full, self._page(number)))
        return hits

    def _terms(self, words: list[str]) -> list:
        kept = [word.lower() for word in words if not word.isdigit()]
        stems = list(dict.fromkeys(STEM(word) for word in kept if word not in STOPWORDS))
        scores: dict[int, dict[str, int]] = defaultdict(dict)
        for stem in stems:
            for number, score in self._scored(stem):
                # A later score replaces an earlier one, as in the script.
                scores[number][stem] = score
        n_long = sum(len(stem) > 2 for stem in stems)
        return [
            (max(found.values()), self.index["titles"][number], self._page(number))
            for number, found in scores.items()
            if len(found) in (len(stems), n_long)
        ]

    def _scored(self, stem: str):
        tables = (("terms", TERM, PARTIAL_TERM), ("titleterms", TITLE, PARTIAL_TITLE))
        for name, score, _ in tables:
            yield from ((number, score) for number in as_list(self.index[name].get(stem, [])))
        for name, _, partial in tables:
            if len(stem) > 2 and stem not in self.index[name]:
                for term, numbers in self.index[name].items():
                    if stem in term:
                        yield from ((number, partial) for number in as_list(numbers))


def as_list(numbers: int | list[int]) -> list[int]:
    """Pages of a word; a single one stands without a list."""
    return numbers if isinstance(numbers, list) else [numbers]


def misses(site: Path) -> list[str]:
    """Words that find another page first, and which one."""
    search = Search(read_index(site))
    found = {(word, page): search.first(word) for page, words in WORDS.items() for word in words}
    return [
        f"{word!r} finds {first}, and {page} answers it"
        for (word, page), first in found.items()
        if first != page
    ]


def main() -> None:
    """Search for every word, and print those that fail."""
    missed = misses(Path(sys.argv[1]))
    n_words = sum(map(len, WORDS.values()))
    print("\n".join([*missed, f"{n_words - len(missed)} of {n_words} words find their page first"]))
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
