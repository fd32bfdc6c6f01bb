"""What the application framework would trip over in a tarball; see `__main__.py`."""
