"""Answers: from a request's body to predictions, by the champion or the challenger."""
