"""The whole application in several processes over HTTP, on an engine that is right under races."""
