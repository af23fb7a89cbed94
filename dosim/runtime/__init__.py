"""The runtime: calls, gates, instances, alarms, contexts. It never imports `workers`: user classes are plain objects."""
