"""What is plugged into what, a file for each area; `server` puts them together."""
