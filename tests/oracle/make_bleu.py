"""Writes bleu.txt: corpus BLEU-4 of random corpora as NLTK computes it.

    /usr/bin/python3 tests/oracle/make_bleu.py > tests/oracle/bleu.txt

Every translation has four words or more: of shorter ones NLTK 3.8 counts one
possible n-gram where there is none (it takes max(1, ...) a sentence), while
Papineni 2002, mteval and sacrebleu count none, as we do.
"""
import random
import warnings

from nltk.translate.bleu_score import corpus_bleu

warnings.simplefilter("ignore")
random.seed(5)


def changed(reference, errors, words):
    text = list(reference)
    for _ in range(errors):
        at = random.randrange(len(text) + 1)
        what = random.choice(["insert", "delete", "replace", "swap"])
        if what == "insert":
            text.insert(at, random.choice(words))
        elif what == "delete" and len(text) > 1:
            del text[at % len(text)]
        elif what == "replace":
            text[at % len(text)] = random.choice(words)
        elif len(text) > 1:
            i = at % (len(text) - 1)
            text[i], text[i + 1] = text[i + 1], text[i]
    return text


def corpus(sentences, shortest, longest, errors, vocabulary, cut):
    words = list(range(4, 4 + vocabulary))
    references = [[random.choice(words) for _ in range(random.randint(shortest, longest))] for _ in range(sentences)]
    translations = [changed(r, random.randint(0, errors), words) for r in references]
    if cut:
        translations = [t[: max(1, len(t) - cut)] for t in translations]
    return translations, references


def flat(name, rows):
    numbers = [x for row in rows for x in [len(row)] + row]
    print(f"{name} [{len(numbers)}] " + " ".join(map(str, numbers)))


settings = [
    (1, 6, 6, 0, 9, 0), (1, 8, 8, 2, 9, 0), (5, 5, 12, 3, 6, 0), (8, 8, 20, 2, 30, 2), (8, 10, 20, 6, 3, 0),
    (10, 6, 25, 1, 100, 0), (6, 8, 12, 1, 20, 3), (3, 5, 6, 1, 90, 0), (20, 9, 15, 4, 12, 1), (4, 10, 14, 9, 200, 0),
]
print("# corpus BLEU-4 by NLTK (tests/oracle/make_bleu.py); a sentence is its length and its words")
for i, setting in enumerate(settings):
    translations, references = corpus(*setting)
    if i == 2:  # much too long: clipping matters
        translations = [t + [t[-1]] * 4 for t in translations]
    score = 100 * corpus_bleu([[r] for r in references], translations)
    flat(f"bleu{i}.translations", translations)
    flat(f"bleu{i}.references", references)
    print(f"bleu{i}.score [1] {score if score > 1e-6 else 0!r}")
