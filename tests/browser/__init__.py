"""A student and an instructor played in a real browser: notebook, menus, formgrader, exchange."""
