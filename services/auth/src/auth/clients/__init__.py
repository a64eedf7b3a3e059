"""Other services, called on auth's own account."""
