"""One file a library: its search with its own defaults, asked and told over standard input and output.

Each file runs as `python -m benchmarks.search.peers.FILE [NAME]` in an environment that has its library, with
the folder above `benchmarks` as the working directory. Only `vernier.py` imports anything of ours.
"""
