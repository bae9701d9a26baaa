module ironrack/lab/pause

go 1.26.0
