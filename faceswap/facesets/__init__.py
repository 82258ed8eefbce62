"""Facesets: aligned crops of one actor on disk, with what is known about each."""
