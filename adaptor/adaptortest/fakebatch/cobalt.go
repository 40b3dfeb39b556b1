package fakebatch

var cobaltCommands = map[string]command{}
