"""What runs beside a student's code, and nothing else: the sandbox gets this folder whole."""
