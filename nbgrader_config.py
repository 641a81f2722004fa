"""The kit's own course for nbgrader; what each setting is for stands in `configure`."""

from utilities.grading.configuration import configure

c = get_config()  # noqa: F821

configure(c, course_id="attention-lab-kit")
