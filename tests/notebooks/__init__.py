"""The notebooks: their form, their solutions, the release, and what autograding gives them."""
