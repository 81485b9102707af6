"""What the what-if engine promises beside what a built index does: `pairs` says what is compared, `measure` does it,
`plans` judges two plans, `report` writes what came of it. Driven by bench/accuracy.py."""
