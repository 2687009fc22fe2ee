"""The service: REST API, the tutorial's routes, and the page."""

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder of the counters that processes share; prometheus_client looks for it only when it is imported."""
