"""The tests, in the same rooms as the kit; `checks/catalogue/` holds right and wrong ones."""
