"""What exists by name, where it comes from, and which theory to ask first."""
