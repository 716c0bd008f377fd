"""Training of binarized networks with PyTorch (extra ``learn``), on a CPU or with CUDA."""
