"""Other libraries' interfaces to the methods of :mod:`icg`. None is imported by :mod:`icg` itself."""
