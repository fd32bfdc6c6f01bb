"""Stand-in for the parts of sysinv that a plugin imports: strict where sysinv is, and silent where sysinv is."""
