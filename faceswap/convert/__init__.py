"""Conversion: a clip goes in, a swapped and marked clip comes out."""
