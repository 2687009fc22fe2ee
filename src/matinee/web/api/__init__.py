"""Thin views: read the request, ask the core, name the answer."""
