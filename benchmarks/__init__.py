"""Side-by-side timings: each script prints what it measured beside a peer or a floor, in one run."""
