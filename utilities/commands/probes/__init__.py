"""What `lab doctor` looks at, by kind; a probe returns a `Finding`."""
