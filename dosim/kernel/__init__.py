"""The kernel: clock, event queue, loop, tasks, random streams, and the virtual world that simulated code sees."""
