"""The guest, which runs inside a framework's environment: reads a fold, drives the framework, answers with plain data.

It may touch numpy, the framework and what is in this room; nothing else of omnibench is there.
"""
