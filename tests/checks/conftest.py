"""Print the catalogue's table at the end of a run, and what is off the diagonal of what is told."""


def pytest_terminal_summary(terminalreporter):
    """Print the table only where every test of the catalogue that ran has passed."""
    from tests.checks.catalogue import entries
    from tests.checks.record import recorded
    from tests.checks.table import confusion, table

    ran = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if "test_catalogue.py" in report.nodeid and report.when == "call"
    ]
    if ran:
        failed = sum(report.failed for report in ran)
        terminalreporter.section(f"catalogue: {len(ran)} runs, {failed} failed")
        terminalreporter.write_line(table(entries(), recorded()))
        terminalreporter.write_line("Told a name that is not its own: ")
        for line in confusion(entries(), recorded()) or ["nobody"]:
            terminalreporter.write_line(f"  {line}")
