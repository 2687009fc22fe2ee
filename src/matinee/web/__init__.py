"""The service: REST API, the tutorial's routes, and the page."""
