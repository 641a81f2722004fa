"""Models: loaded, looked into, and the ones that the kit ships."""
