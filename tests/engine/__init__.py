"""The engine: attempts at items, and what they leave; guests of users' classes are forked, see its conftest."""
