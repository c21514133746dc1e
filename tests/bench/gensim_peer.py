#!/usr/bin/python3
"""gensim_peer.py CORPUS: words per second of processor time of gensim's skip-gram, on
one thread, with lab 02's setting: dimension 100, window 5, five noise words, no
subsampling.  An epoch is the difference of three and one, halved."""
import sys
import time

import gensim
from gensim.models import Word2Vec

corpus = sys.argv[1]


def seconds(epochs):
    model = Word2Vec(vector_size=100, window=5, negative=5, min_count=1, sample=0, sg=1, workers=1, epochs=epochs, seed=1)
    model.build_vocab(corpus_file=corpus)
    start = time.process_time()
    model.train(corpus_file=corpus, total_examples=model.corpus_count, total_words=model.corpus_total_words, epochs=epochs)
    return time.process_time() - start, model.corpus_total_words


one, words = seconds(1)
three, _ = seconds(3)
print("gensim-%s %.0f" % (gensim.__version__, 2 * words / (three - one)))
