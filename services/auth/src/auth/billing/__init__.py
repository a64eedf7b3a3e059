"""Plans and payments, usage and quotas."""
