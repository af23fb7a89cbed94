"""The runtime: calls, gates, instances, alarms, contexts.

It never imports `workers`: user classes reach it as plain objects with the handlers they define.
"""
