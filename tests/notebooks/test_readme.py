"""What the README says of the labs is what the notebooks say."""

from tests.course import ROOT, SOLUTIONS
from tests.notebooks.table import table


def test_table_of_labs_is_up_to_date():
    assert table(SOLUTIONS) in (ROOT / "README.md").read_text(), table(SOLUTIONS)
