"""What recurrent cells can remember: the field's own experiments, each cell on each of them.

`tasks` makes the sequences and says what a right answer is, `training` trains one cell on one of
them, `report` writes the table and the picture.
"""
