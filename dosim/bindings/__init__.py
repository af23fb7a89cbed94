"""Bindings: what `env` holds. Durable Object namespaces and their stubs; vars are plain values."""
