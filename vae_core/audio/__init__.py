"""Sound in and out: WAV files, spectrograms, and sound made from them again. All at 8,000 samples a second, mono."""
