"""Position embeddings, a convolutional rival, and how a dead model is told from a live one."""
