"""The platform's side of ipsec-policy-operator: chart overrides and lifecycle hooks, and nothing else."""
