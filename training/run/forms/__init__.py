"""What a run makes of a target, by the form of its answer.

`contract` is what every form answers; `probability`, `amount` and `next_stage` are the forms; `catalogue` lists them.
"""
