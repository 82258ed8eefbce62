"""Finding faces, holding them over time, and remembering where they were."""
