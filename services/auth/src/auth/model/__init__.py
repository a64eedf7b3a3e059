"""The nouns of auth; a file for each flow's."""
