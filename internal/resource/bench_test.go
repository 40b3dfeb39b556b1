package resource_test

import (
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// BenchmarkCheck is what each pilot of a submit pays.
func BenchmarkCheck(b *testing.B) {
	all, err := resource.BuiltinCatalogue()
	if err != nil {
		b.Fatal(err)
	}
	for _, label := range []string{"local.localhost", "ornl.frontier"} {
		cfg, err := all.Resolve(label, "")
		if err != nil {
			b.Fatal(err)
		}
		d := pilot.Description{UID: "p", Resource: label, Cores: 1, Runtime: pilot.Runtime(time.Minute), Project: "abc"}
		b.Run(label, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				cfg.Check(nil, 0, &d)
			}
		})
	}
}
