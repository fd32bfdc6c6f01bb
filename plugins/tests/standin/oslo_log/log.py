"""Stand-in for oslo.log: the standard library's loggers, which pytest can read."""

from logging import getLogger as getLogger  # noqa: PLC0414
