"""Expressions of ``-k`` that name hyperparameters."""

from __future__ import annotations

from _pytest.mark.expression import Expression

from omnibench.naming import with_keywords


def readable_by_pytest(expression: str) -> str:
    """Return an expression in which ``K=100`` and ``ItemKNN(K=100)`` are written as pytest reads it.

    One that is wrong all the same stays as the user wrote it, so that pytest's error shows that.

    Args:
        expression: As it was given to ``-k``.
    """
    readable = with_keywords(expression)
    try:
        Expression.compile(readable.lstrip())
    except Exception:
        return expression
    return readable
