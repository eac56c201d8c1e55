"""The ways to serve that `benchmarks/serving.py` measures side by side, and the load that it puts on them."""
