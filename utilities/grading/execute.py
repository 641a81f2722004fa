"""Execute submissions for grading."""

import os
from typing import Any

from nbgrader.preprocessors import Execute


class CourseExecute(Execute):
    """Execute a notebook in the quick profile: grading looks at steps, not at trained models.

    Only the kernel's environment is changed, so that a JupyterLab started in the same folder
    keeps the profile its user chose.
    """

    def start_new_kernel(self, **kwargs: Any) -> Any:
        """Start the kernel with LAB_PROFILE=quick."""
        environment = {**os.environ, "LAB_PROFILE": "quick"}
        return super().start_new_kernel(**{"env": environment, **kwargs})
