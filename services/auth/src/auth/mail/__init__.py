"""Mails as they leave: their texts, and the two ways out."""
