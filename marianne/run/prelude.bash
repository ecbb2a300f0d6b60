# Read by bash before the script of a sheet (BASH_ENV): what ends a strict script writes down which
# command it was, beside the file of the script, for marianne/run/strict.py to read. It changes nothing
# that the script does: a trap of the script's own takes its place, and where -e is off, or in a
# subshell, whose end may mean nothing, it is silent.
unset BASH_ENV
trap '{ case $-,$BASH_SUBSHELL in *e*,0) printf "%s\0" "$?" "$LINENO" "${PIPESTATUS[*]}" "$BASH_COMMAND" "${BASH_SOURCE[0]}" >|"${0%.prompt}.trap" || :;; esac; } 2>/dev/null' ERR
: "$BASH"
