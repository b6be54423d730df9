"""Stand-ins for the systems that stores run on."""
