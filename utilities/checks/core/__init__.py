"""What all checks share on the trusted side: the check as data, formulas, tolerances, reports."""
