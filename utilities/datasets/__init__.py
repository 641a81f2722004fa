"""CIFAR-10 and CIFAR-100: loading, class names, subsets, downloads; every pixel checked by content."""
