"""Stand-ins of the systems that stores run on."""
