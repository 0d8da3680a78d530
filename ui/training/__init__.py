"""What the pages Train and Runs are made of: the form, the state of a run, its film and curves, tables."""
