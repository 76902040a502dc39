"""Who asks, what they may, and the files in which people write it down."""
