"""The command ``liversegssl``: thin fronts over jobs."""
