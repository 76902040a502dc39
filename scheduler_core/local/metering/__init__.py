"""What is measured of work and its devices, what is counted of it, and what follows from it."""
