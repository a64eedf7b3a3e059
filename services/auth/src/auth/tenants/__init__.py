"""The flows of tenants: who is in them, who did what, and how users and tenants leave for good."""
