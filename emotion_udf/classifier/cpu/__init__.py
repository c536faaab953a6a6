"""Engines that only a CPU has: int16 products and prepacked bf16 weights."""
