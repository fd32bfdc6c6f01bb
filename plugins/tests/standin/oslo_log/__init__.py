"""Stand-in for oslo.log: the plugin asks for a logger and nothing else."""
