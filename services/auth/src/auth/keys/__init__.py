"""API keys: made, rotated and revoked, and traded for access tokens at the gateway."""
