"""The errors that the flows of auth raise; a file for each flow's."""
