"""The verbs of auth, by whom they serve: users, their sessions, services; and whoever asks what has ended."""
