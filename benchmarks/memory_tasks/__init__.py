"""Standard long-range tasks for recurrent cells.

`tasks` generates the sequences and computes the scores, `training` trains one cell on one task, and
`report` writes the table and the plot.
"""
