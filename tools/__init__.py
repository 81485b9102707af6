"""What stands behind `make`: installing what is missing, building, private servers, the demo and the test tiers."""
