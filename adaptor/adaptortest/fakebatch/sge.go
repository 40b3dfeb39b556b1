package fakebatch

var sgeCommands = map[string]command{}
