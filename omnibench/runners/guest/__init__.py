"""Code that runs inside a framework's environment: numpy and the framework; of omnibench only what is here.

The one exception is ``own``, which runs in the user's environment, where omnibench is.
"""
