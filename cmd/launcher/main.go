// Command launcher launches the pilots of one resource, for a service on many
// machines; on a single one 'flightlog up' holds it. Its binary is flightlog-launcher.
package main

import (
	"os"

	"github.com/flightlog/flightlog/internal/app"
)

func main() { os.Exit(app.RunCommand(app.NewLauncherCommand())) }
