"""How long to search: a fixed handful of examples in `make test`, many new ones in `make fuzz` (FUZZ_EXAMPLES)."""

import os

from hypothesis import HealthCheck, settings

_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("small", deadline=None, max_examples=6, derandomize=True, suppress_health_check=_CHECKS)
settings.register_profile(
    "fuzz", deadline=None, max_examples=int(os.environ.get("FUZZ_EXAMPLES", "500")), suppress_health_check=_CHECKS
)

PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "small"))
