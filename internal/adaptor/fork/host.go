package fork

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/pilot"
)

// machineIDs are the files that name this machine, the first that does counts: what
// systemd made at installation (machine-id(5)), what D-Bus did before it
// (dbus-uuidgen(1)), and the firmware's (SMBIOS, system UUID), for root only. An image
// may give all its machines the same one, and most containers have none.
var machineIDs = []string{"/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid"}

// machineOf gives the short form of a machine's id; empty: no file has one. systemd
// writes "uninitialized" before the first boot is over (machine-id(5)).
func machineOf(files []string) string {
	for _, name := range files {
		id, err := os.ReadFile(name)
		if text := strings.TrimSpace(string(id)); err == nil && text != "" && text != "uninitialized" {
			sum := sha256.Sum256(id)
			return hex.EncodeToString(sum[:4])
		}
	}
	return ""
}

// place is where processes see each other: a process namespace of one boot of one
// machine. The name is none of it, for people change that while all goes on; it is
// asked only where the rest is in doubt.
type place struct {
	name    string // of the host
	machine string // see machineOf
	boot    string // see proc.Boot
	space   string // see proc.Space; empty: of a job of an old log, or not known
}

func thisPlace(name string) (place, error) {
	boot, err := proc.Boot()
	return place{name: name, machine: machineOf(machineIDs), boot: boot, space: proc.Space()}, err
}

// placeOf reads what a job says of where it is. Old logs have only the host's name,
// or that and the machine, and of jobs without an id no boot.
func placeOf(host, boot, space string) place {
	name, machine, _ := strings.Cut(host, "/")
	return place{name: name, machine: machine, boot: boot, space: space}
}

// hostText is the place's text in the log, as it ever was.
func (p *place) hostText() string {
	if p.machine == "" {
		return p.name
	}
	return p.name + "/" + p.machine
}

// visibility is what can be known here of the processes of a place.
type visibility uint8

const (
	seesNothing  visibility = iota // nothing: it is elsewhere, or may be
	seesLikely                     // a process that is found is the one; one that is not may be elsewhere
	seesAll                        // all: they are those that we see
	seesPastBoot                   // that there are none: it is an earlier boot of this machine
)

// visibilityOf says what can be known at p of the processes of q. The name decides only
// between machines of one id: two copies of an image, or one machine that has a new
// name. One of the same name is this one; of one of another name nothing is known.
func (p *place) visibilityOf(q *place) visibility {
	named := p.name == q.name
	same := p.machine != "" && p.machine == q.machine
	switch {
	case q.name == "": // of a job that nobody has noted yet, found here
		return seesAll
	case q.boot == "" && named && p.machine == q.machine: // noted by an old build before it had an id
		return seesAll
	case q.boot == "":
		return seesNothing
	case p.boot != q.boot && same && named:
		return seesPastBoot
	case p.boot != q.boot:
		return seesNothing
	case p.space != "" && q.space != "" && p.space == q.space:
		return seesAll
	case p.space != "" && q.space != "":
		return seesNothing
	case named: // noted by an old build
		return seesAll
	case same: // the same, and the machine has a new name; or a container that borrows its id
		return seesLikely
	default:
		return seesNothing
	}
}

// JobsHost is this place, for the jobs that are bound to it.
func (s *System) JobsHost() pilot.Job {
	return pilot.Job{Host: s.place.hostText(), Boot: s.place.boot, Space: s.place.space}
}

// SeesJob says whether a job is, or was before this machine's last boot, at this place.
func (s *System) SeesJob(j *pilot.Job) bool {
	q := placeOf(j.Host, j.Boot, j.Space)
	known := s.place.visibilityOf(&q)
	return known == seesAll || known == seesPastBoot
}

// grantResources is what of a request this machine really has. Cores are shared with
// all that runs here, so more pilots than cores may run; what is told is true.
func grantResources(d *pilot.Description) (cores, gpus int64) {
	cores = int64(runtime.NumCPU())
	if d.Cores > 0 {
		cores = min(cores, d.Cores)
	}
	devices, _ := filepath.Glob("/dev/nvidia[0-9]*") // the pattern is well-formed
	return cores, min(d.GPUs, int64(len(devices)))
}
