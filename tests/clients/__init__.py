"""The client libraries, against real servers and over a network that loses, delays, doubles and cuts."""
