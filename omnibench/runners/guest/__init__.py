"""Code that runs inside a framework's isolated environment: numpy, the framework, nothing of omnibench."""
