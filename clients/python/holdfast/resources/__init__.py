"""The operations, by what they are about. Each is written once, and is a method of both clients."""
