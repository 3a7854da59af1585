"""What is known about users and items beside the interactions."""
