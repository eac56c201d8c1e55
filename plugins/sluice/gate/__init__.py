"""Is the candidate good enough, and is it servable? Evidence in, decision out."""
