package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/pilot"
)

func TestDescriptionsComeFromFilesAndFlags(t *testing.T) {
	t.Parallel()
	const minute = pilot.Runtime(time.Minute)
	for name, x := range map[string]struct {
		file string
		args string
		want []pilot.Description
	}{
		"flags": {
			"", "-r local.localhost -c 2 -t 1 -e A=b=c -l k=v -- sh -c true",
			[]pilot.Description{{
				Resource: "local.localhost", Cores: 2, Runtime: minute, Environment: map[string]string{"A": "b=c"},
				Labels: map[string]string{"k": "v"}, Executable: "sh", Arguments: []string{"-c", "true"},
			}},
		},
		"the payload's flags without --": {
			"", "-c 1 sleep -n 3", []pilot.Description{{Cores: 1, Executable: "sleep", Arguments: []string{"-n", "3"}}},
		},
		"one in JSON": {`{"cores": 1, "runtime": 1}`, "-f -", []pilot.Description{{Cores: 1, Runtime: minute}}},
		"a list in YAML, completed": {
			"- cores: 1\n  labels: {a: x}\n- cores: 2\n  memory: 1GiB\n", "-f - -t 1m -l b=y",
			[]pilot.Description{
				{Cores: 1, Runtime: minute, Labels: map[string]string{"a": "x", "b": "y"}},
				{Cores: 2, Runtime: minute, Memory: 1 << 30, Labels: map[string]string{"b": "y"}},
			},
		},
		"none":   {`[]`, "-f -", []pilot.Description{}},
		"copies": {`{"cores": 1}`, "-f - -n 2", []pilot.Description{{Cores: 1}, {Cores: 1}}},
		"documents": {
			"---\ncores: 1\n---\n- cores: 2\n- cores: 3\n---\n", "-f -", []pilot.Description{{Cores: 1}, {Cores: 2}, {Cores: 3}},
		},
		"lines of JSON":   {"{\"cores\":1}\n{\"cores\":2}\n", "-f -", []pilot.Description{{Cores: 1}, {Cores: 2}}},
		"escapes of JSON": {`{"project":"\ud83d\ude80"}`, "-f -", []pilot.Description{{Project: "🚀"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseArgs(x.file, words(x.args)...)
			if err != nil || !reflect.DeepEqual(got, x.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, x.want)
			}
		})
	}
}

// parseArgs is what submit makes of its arguments, without the service.
func parseArgs(stdin string, args ...string) ([]pilot.Description, error) {
	var s submission
	c := &cobra.Command{}
	s.flags.addFlags(c.Flags())
	c.Flags().SetInterspersed(false)
	c.Flags().StringArrayVarP(&s.files, "file", "f", nil, "")
	c.Flags().IntVarP(&s.count, "count", "n", 1, "")
	if err := c.ParseFlags(args); err != nil {
		return nil, err
	}
	r := s.readInput(strings.NewReader(stdin), c, c.Flags().Args())
	if faults := slices.Concat(r.misuse, r.unread); len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, FieldErrors: faults}
	}
	return repeatDescriptions(r.descs, s.count), nil
}

func TestMapsOfOneFileAreNotShared(t *testing.T) {
	t.Parallel()
	got, err := parseArgs("- &a {cores: 1, labels: {x: '1'}}\n- *a\n", "-f", "-", "-l", "y=2")
	if err != nil {
		t.Fatal(err)
	}
	got[0].Labels["x"] = "changed"
	if got[1].Labels["x"] != "1" || got[1].Labels["y"] != "2" {
		t.Errorf("got %v", got)
	}
}

func TestFilesAreTakenInTheirOrder(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "pilots.yaml")
	if err := os.WriteFile(name, []byte("cores: 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := parseArgs("cores: 2", "-f", name, "-f", "-", "-f", name)
	if want := []pilot.Description{{Cores: 1}, {Cores: 2}, {Cores: 1}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestFilesThatSayNothingOrTooMuchAreRefused(t *testing.T) {
	t.Parallel()
	for file, why := range map[string]string{
		"": "holds no description", "\n# nothing\n": "holds no description", "null": "holds no description",
		"---\n---\n": "holds no description", "[null]": "must be an object", "cores": "must be an object",
		"{\"cores\":1} x":           "is neither JSON",
		"{\"cores\":1,\"cores\":2}": "is there twice",
		"cores: 1\ncores: 2\n":      "is there twice",
	} {
		if got, err := parseArgs(file, "-f", "-", "-r", "local.localhost", "-t", "1"); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, %v; want %q", file, got, err, why)
		}
	}
}
