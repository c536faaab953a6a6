"""What only GPUs have: kernels of our own, compiled in the worker."""
