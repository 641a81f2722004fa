"""The instructor's side: release and grading. Never imported by a notebook."""
