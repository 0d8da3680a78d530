"""What one lesson computes for itself: cached, and with a report of how far it is."""
