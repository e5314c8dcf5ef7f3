"""How figures look: one file per kind, and the folder is the catalogue.

`Figure.kind` is the name of a file here. Its docstring says which columns it needs (REQUIRED)
and which it may have (OPTIONAL). For all kinds:

- columns are equally long sequences of str, numbers or bools; None and NaN mean "missing"; at
  most 5,000 rows (a card shows what was found, not every step);
- `labels` may have "x" and "y" (the axes, with units), "series" (what the series are) and
  "limit" or "reference" (the name of that line); a kind's docstring names more if it has more;
- a column `limit` (or `reference`) is one number, repeated in every row: a line across the plot;
- `series` has at most six different names; each gets a colour *and* a shape or dash.

`finding` becomes the caption and must say in words what the figure shows.
"""
