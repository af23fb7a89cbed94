"""Facts of the platform as data: limits, times, texts, dates, each with its source. Imports nothing of ours."""
