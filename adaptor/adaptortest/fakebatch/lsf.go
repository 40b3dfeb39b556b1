package fakebatch

var lsfCommands = map[string]command{}
