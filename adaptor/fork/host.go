package fork

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// machineID names an installation of Linux (man machine-id): hosts of one name
// are common, and their processes must not be taken for each other's.
const machineID = "/etc/machine-id"

// machine is this host among all that a bus may join.
func machine(host string) string {
	id, err := os.ReadFile(machineID)
	if err != nil || len(strings.TrimSpace(string(id))) == 0 {
		return host
	}
	sum := sha256.Sum256(id)
	return host + "/" + hex.EncodeToString(sum[:4])
}

// Host is this host: nobody else can see its jobs.
func (s *System) Host() string { return s.machine }

// grant is what of a request this machine really has. Cores are shared with
// all that runs here, so more pilots than cores may run; what is told is true.
func grant(d *pilot.Description) (cores, gpus int64) {
	cores = int64(runtime.NumCPU())
	if d.Cores > 0 {
		cores = min(cores, d.Cores)
	}
	devices, _ := filepath.Glob("/dev/nvidia[0-9]*") // the pattern is well-formed
	return cores, min(d.GPUs, int64(len(devices)))
}
