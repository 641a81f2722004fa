"""The instructor's side: release and grading. Never imported by a notebook."""

import sys

# For the form of addresses, jsonschema builds 39 grammars as nbformat imports it: more than half of the
# processor time in which a command starts. No notebook has such a form; without, it is not looked at.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
