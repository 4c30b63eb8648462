"""What turns chapters into a book, and into notebooks for a class. Run with `python -m press.NAME` in `book/`."""
