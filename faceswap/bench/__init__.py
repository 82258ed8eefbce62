"""`faceswap bench`: speed as numbers."""
