"""What the flows need from outside; a file for each flow's."""
