"""What models read and write, reported to auth: set aside before a call, counted once after it."""
