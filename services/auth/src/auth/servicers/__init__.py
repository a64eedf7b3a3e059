"""The RPC edge: convert in, one call, convert out."""
