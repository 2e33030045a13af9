"""The result of a target in a run, by the form of its answer.

`contract` is the interface of every form; `probability`, `amount` and `next_stage` are the forms; `catalogue` lists
them.
"""
