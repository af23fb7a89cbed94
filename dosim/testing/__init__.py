"""Testing: conformance with the recorded answers of the real runtime."""
