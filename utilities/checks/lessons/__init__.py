"""What is judged: one trusted file for each exercise, NumPy only."""
