"""The parts of `bench/scale.py`: a made-up database of many tables, and the statements of an application on it."""
