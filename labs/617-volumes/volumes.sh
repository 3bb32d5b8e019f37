# What is mounted into every container, below $ROOT, before its program runs.
