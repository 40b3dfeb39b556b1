// Command manager runs one replica of the manager, for a service on many
// machines; on a single one 'flightlog up' holds it. Its binary is flightlog-manager.
package main

import (
	"os"

	"github.com/flightlog/flightlog/internal/app"
)

func main() { os.Exit(app.RunCommand(app.NewManagerCommand())) }
