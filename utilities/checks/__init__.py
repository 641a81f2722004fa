"""The checks: observe what an implementation does, then judge it.

One package per lesson; in each, `cases` (NumPy), `observe` (TensorFlow, runs the student's code)
and `judge` (NumPy, never runs it) hold one function per exercise, under the exercise's name.
"""
