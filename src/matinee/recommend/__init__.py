"""From models to lists for people."""
