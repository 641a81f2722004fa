"""The repository: layout, documents, dependencies, environment, the hand-out."""
