"""Swap networks, the model around them, and their checkpoints."""
