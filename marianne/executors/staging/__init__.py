"""A sheet's files without a directory that all machines share.

What a sheet declares as its inputs is brought to its node before it begins, what it declares as its
outputs is brought back before its result counts, and so is what it printed. The bridge and a node's
warden carry it over the connection that they have, in pieces: the one who receives says what he has
taken, so that no side ever holds more than a window of it. Each file carries a checksum.

Below, nobody trusts what the other side calls a file: a name is relative, lies below the directory
that it is for, and is one that the score declared.
"""
