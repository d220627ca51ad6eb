"""A server that takes in orders and is killed at random: no order is lost or doubled, and nothing is said twice."""
