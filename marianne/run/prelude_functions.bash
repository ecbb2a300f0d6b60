# The same for a script that has functions and cannot see the difference: the trap holds in them too.
set -E
. "${BASH_ENV%/*}/prelude.bash"
: "$BASH"
