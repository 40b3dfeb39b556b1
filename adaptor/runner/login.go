package runner

// scriptVariable carries a script past a login shell of whatever kind.
const scriptVariable = "FLIGHTLOG_SCRIPT"

// loginLine is a line of sh that reads what a login of this account reads, and
// then has sh run the script in scriptVariable. Each shell takes the same words
// for that, for nothing in them means anything to one and not to another. csh
// has no -l beside other flags; of an unknown shell, or none, sh reads the
// profile.
//
// A profile can print whatever it likes: the script marks where its own output
// begins.
const loginLine = `case ${SHELL##*/} in
bash|zsh|ksh|ksh93|mksh|dash|ash|sh|fish) exec "$SHELL" -l -c 'exec sh -c '\''eval "$` + scriptVariable + `"'\' </dev/null;;
csh|tcsh) printf '%s\n' 'exec sh -c '\''eval "$` + scriptVariable + `"'\' | exec "$SHELL" -l;;
esac
exec sh -l -c 'eval "$` + scriptVariable + `"' </dev/null`

// loginStart begins such a script.
const loginStart = "unset " + scriptVariable + "; exec </dev/null\n"
