package deploy_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func composed(t *testing.T) *types.Project {
	t.Helper()
	opts, err := cli.NewProjectOptions([]string{"../compose/compose.yaml"}, cli.WithInterpolation(true), cli.WithConsistency(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := opts.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposeHasAllParts(t *testing.T) {
	p := composed(t)
	var names []string
	for name, s := range p.Services {
		names = append(names, name)
		if !s.ReadOnly || len(s.CapDrop) == 0 || s.Privileged {
			t.Errorf("%s may more than it needs", name)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s is open to other machines at %q:%s", name, port.HostIP, port.Published)
			}
		}
	}
	slices.Sort(names)
	if want := []string{"launcher1", "launcher2", "manager1", "manager2", "nats1", "nats2", "nats3"}; !slices.Equal(names, want) {
		t.Errorf("services are %v, want %v", names, want)
	}
	for _, part := range []string{"manager1", "launcher2"} {
		for _, server := range []string{"nats1", "nats2", "nats3"} {
			if p.Services[part].DependsOn[server].Condition != types.ServiceConditionHealthy {
				t.Errorf("%s does not wait for %s", part, server)
			}
		}
	}
}

// TestComposeGivesEveryVariable: nats.conf has no defaults, and a variable that
// nothing reads is a mistake.
func TestComposeGivesEveryVariable(t *testing.T) {
	conf := read(t, "../nats/nats.conf")
	p := composed(t)
	for _, name := range []string{"nats1", "nats2", "nats3"} {
		given := p.Services[name].Environment
		for key := range given {
			if !strings.Contains(conf, "$"+key+"\n") {
				t.Errorf("%s gets %s, which nats.conf does not read", name, key)
			}
		}
		os.Expand(conf, func(key string) string {
			if strings.HasPrefix(key, "NATS_") && given[key] == nil {
				t.Errorf("%s lacks %s", name, key)
			}
			return ""
		})
	}
}

// TestComposeBuildsWhatTheContainerfileHas looks for the targets.
func TestComposeBuildsWhatTheContainerfileHas(t *testing.T) {
	for name, s := range composed(t).Services {
		if s.Build == nil {
			continue
		}
		file := read(t, filepath.Join(s.Build.Context, s.Build.Dockerfile))
		if !strings.Contains(file, " AS "+s.Build.Target+"\n") {
			t.Errorf("%s is built from a stage %s that is not there", name, s.Build.Target)
		}
	}
}
