"""nbgrader's formgrader in JupyterLab, as an instructor uses it."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.jupyter import CELL_LIMIT


class Formgrader:
    """The formgrader's pages, inside their tab."""

    def __init__(self, page: Page):
        self.page = page
        self.frame = page.frame_locator("iframe[src*=formgrader]")

    def manage(self, assignment: str, action: str, success: str) -> None:
        """Click an action in the row of an assignment, and wait until it is said to be done."""
        row = self.frame.locator("tr", has_text=assignment)
        row.locator(f".{action} a").click(timeout=CELL_LIMIT)
        said = self.frame.locator(".modal.in")
        expect(said).to_contain_text(success, timeout=CELL_LIMIT)
        said.get_by_role("button", name="Close").last.click()
        expect(said).to_have_count(0)

    def open_submission(self, assignment: str, notebook: str, number: int = 1) -> None:
        """Go from the list of assignments to a submission that waits for a person."""
        self.frame.get_by_role("link", name="Manual Grading").click()
        for name in (assignment, notebook):
            self.frame.locator("tbody").get_by_role("link", name=name, exact=True).click()
        self.frame.get_by_role("link", name=re.compile(f"Submission #{number}")).click()

    def grade(self, question: str, points: str, comment: str) -> None:
        """Type the points and a comment for a written answer, and wait until both are saved."""
        words = self.frame.locator(f"#{question}-comment")
        expect(words).to_have_attribute("placeholder", re.compile("comment"))  # loaded by now
        self._type(self.frame.locator(f"#{question}"), points, "grade")
        self._type(words, comment, "comment")

    def _type(self, field: Locator, text: str, kind: str) -> None:
        def saved(response) -> bool:
            return f"/api/{kind}/" in response.url and response.request.method == "PUT"

        with self.page.expect_response(saved) as response:
            field.fill(text)
            field.press("Tab")
        assert response.value.ok

    def back_to_assignments(self) -> None:
        self.frame.get_by_role("link", name="Manual Grading").click()
        self.frame.get_by_role("link", name="Manage Assignments").click()
