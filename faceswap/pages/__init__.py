"""Self-contained HTML pages of the reports, and the small plots on them."""
