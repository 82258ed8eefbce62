"""`faceswap demo`: the main job on embedded input."""
