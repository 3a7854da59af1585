"""What people read: tables made of results, never results made of anything."""
