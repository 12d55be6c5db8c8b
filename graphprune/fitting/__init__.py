"""What is learnt from calibration data, and weights that are fitted to it.

| modules | what |
|---|---|
| `linear`, `windows`, `linear_write` | operators with constant weights as equations X W + b = Y |
| `walk`, `readers`, `spool`, `stage` | a model that is run bit by bit over many batches |
| `calibration`, `sampling` | samples, and which rows of X are looked at |
| `statistics`, `statistics_cache`, `shrinkage` | means and covariances of X |
| `consumers`, `obs`, `removal` | who sums over a group's units, and what their loss costs |
| `makeup`, `compensate`, `compensated` | weights that make up for what went |
| `ridge`, `clipped`, `downstream` | how they are fitted, and to what |
"""
