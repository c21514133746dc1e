#!/usr/bin/python3
"""gensim_vectors.py TEXT VECTORS SEED RATE: gensim's skip-gram with lab 02's setting for its
small world (main.c, world_setting), saved in word2vec's text format."""
import sys

from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence

text, vectors, seed, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
model = Word2Vec(LineSentence(text), sg=1, negative=5, vector_size=64, window=3, min_count=1, sample=3e-4,
                 alpha=rate, min_alpha=rate / 1000, epochs=15, workers=1, seed=seed)
model.wv.save_word2vec_format(vectors)
