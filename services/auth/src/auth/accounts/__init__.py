"""The verbs of auth: sign up, log in, refresh, log out, issue a service token, describe me."""
