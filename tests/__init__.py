"""The tests, in the same rooms as the kit; `checks/catalogue/`: right and wrong implementations."""
