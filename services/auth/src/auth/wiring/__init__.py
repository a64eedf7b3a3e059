"""How the parts of auth are put together, a file for each flow; server.py puts these together."""
