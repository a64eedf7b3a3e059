"""Cryptography behind the ports: argon2id, Ed25519, service secrets."""
