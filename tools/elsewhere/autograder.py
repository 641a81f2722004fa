"""Classroom 50's autograder: the visible checks of one assignment, written to result.json.

Put it into CLASSROOM/autograders/ASSIGNMENT/, with the kit's wheel and requirements-student.lock beside
it; the assignment's slug is the lab's name, with hyphens. Its runtime has to be {"python": "3.11"}.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
(WHEEL,) = HERE.glob("attention_lab_kit-*.whl")
LAB = os.environ["ASSIGNMENT"].replace("-", "_")
PINS = ["-r", str(HERE / "requirements-student.lock")]

subprocess.run(
    [sys.executable, "-m", "pip", "install", "--quiet", *PINS, "nh3", str(WHEEL)], check=True
)
grade = [sys.executable, "-m", "utilities.grading.single", LAB, LAB]
subprocess.run([*grade, "--unsafe", "--classroom50", "result.json"], check=True)
