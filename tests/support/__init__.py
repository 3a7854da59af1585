"""What tests share: small projects, stores, prepared datasets, and runs that are watched and signalled."""
