"""Messages and nouns; a file for each flow's."""
