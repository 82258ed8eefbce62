"""Strangers' pickles read as data: facesets and weights of other programs. Nothing in them is run."""
