"""Every output says what it is: marks are made and read here."""
