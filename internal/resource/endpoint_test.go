package resource_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]resource.Endpoint{
		"fork://localhost/":                  {System: "fork", Host: "localhost", Path: "/"},
		"fork://":                            {System: "fork"},
		"ssh://localhost":                    {System: "fork", Transport: "ssh", Host: "localhost"},
		"slurm://host":                       {System: "slurm", Host: "host"},
		"slurm+ssh://me@h.example.org:2222/": {System: "slurm", Transport: "ssh", User: "me", Host: "h.example.org", Port: 2222, Path: "/"},
		"torque://localhost/":                {System: "torque", Host: "localhost", Path: "/"},
		"torque+ssh://h":                     {System: "torque", Transport: "ssh", Host: "h"},
		"pbs+ssh://h":                        {System: "pbs", Transport: "ssh", Host: "h"},
		"pbspro://h":                         {System: "pbspro", Host: "h"},
		"ssh+pbspro://h":                     {System: "pbspro", Transport: "ssh", Host: "h"},
		"sge+ssh://h":                        {System: "sge", Transport: "ssh", Host: "h"},
		"lsf+ssh://h":                        {System: "lsf", Transport: "ssh", Host: "h"},
		"cobalt://h":                         {System: "cobalt", Host: "h"},
		"slurm+ssh://[fe80::1]:22/":          {System: "slurm", Transport: "ssh", Host: "fe80::1", Port: 22, Path: "/"},
		"sftp://h/base":                      {System: "file", Transport: "ssh", Host: "h", Path: "/base"},
		"file://localhost/":                  {System: "file", Host: "localhost", Path: "/"},
	} {
		got, err := resource.ParseEndpoint(raw)
		if err != nil || got.Supported(nil) != nil || got.String() != raw {
			t.Errorf("%s: %v, %v, written %s", raw, err, got.Supported(nil), got)
		}
		if endpointDiff(got, want) != "" {
			t.Errorf("%s: %s", raw, endpointDiff(got, want))
		}
	}
}

// endpointDiff compares what is exported and names the difference.
func endpointDiff(got, want resource.Endpoint) string {
	a, b := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range a.NumField() {
		if f := a.Type().Field(i); f.IsExported() && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			return f.Name + " differs"
		}
	}
	return ""
}

func TestEndpointOptionsSurvive(t *testing.T) {
	t.Parallel()
	raw := "loadl+ssh://h/?job_type=bluegene&network_mpi=sn_all,not_shared,us&memreqs=virtual_free~1.5h_vmem"
	e, err := resource.ParseEndpoint(raw)
	if err != nil {
		t.Fatal(err)
	}
	if e.Options.Get("network_mpi") != "sn_all,not_shared,us" || e.Options.Get("memreqs") != "virtual_free~1.5h_vmem" || e.Options.Get("job_type") != "bluegene" {
		t.Errorf("%v", e.Options)
	}
	if again, err := resource.ParseEndpoint(e.String()); err != nil || endpointDiff(again, e) != "" {
		t.Errorf("%s: %v", e, err)
	}
}

func TestEndpointsWithoutAWay(t *testing.T) {
	t.Parallel()
	for raw, says := range map[string]string{
		"slurm+gsissh://h:2222/": "unsupported transport gsissh in slurm+gsissh://h; supported are ssh and none",
		"gsisftp://h/":           "unsupported transport gsissh in gsisftp://h; supported are ssh and none",
		"go://xsede#stampede/":   "unsupported transport go in go://xsede#stampede; supported are ssh and none",
	} {
		e, err := (*resource.Systems)(nil).ParseEndpoint(raw)
		if err != nil || pilot.CodeOf(e.Supported(nil)) != pilot.Unsupported || e.Supported(nil).Error() != says {
			t.Errorf("%s: %v, %v", raw, err, e.Supported(nil))
		}
	}
	for _, raw := range []string{"condor://h/", "condor+ssh://h/", "slurm+rsh://h/", "http://h/", "ssh+ssh://h/", "slurm+ssh+ssh://h/"} {
		if e, err := (*resource.Systems)(nil).ParseEndpoint(raw); pilot.CodeOf(err) != pilot.Unsupported {
			t.Errorf("%s: %+v, %v", raw, e, err)
		}
	}
}

func TestAnEmptyPortIsNone(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"slurm://cluster1.example.org:/home/":        "slurm://cluster1.example.org/home/",
		"slurm+ssh://me@cluster1.example.org:/home/": "slurm+ssh://me@cluster1.example.org/home/",
		"slurm://h:": "slurm://h", "sftp://h:/": "sftp://h/", "slurm://h:?a=b": "slurm://h?a=b", "slurm+ssh://[fe80::1]:/": "slurm+ssh://[fe80::1]/",
	} {
		if got, err := resource.ParseEndpoint(raw); err != nil || got.Port != 0 || got.String() != want {
			t.Errorf("%s: %s, %v; want %s", raw, got, err, want)
		}
	}
}

func TestHostileEndpoints(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "://", "localhost", "slurm", "slurm:/h", "SLURM://h", "slurm+ssh://", "slurm+ssh:///x", "slurm://h:0", "slurm://h:65536",
		"slurm://h:-1", "slurm://h:22:22", "slurm+ssh://-oProxyCommand=x/", "slurm+ssh://-h/", "slurm+ssh://h;id/", "slurm+ssh://$(id)/", "slurm+ssh://`id`/",
		"slurm+ssh://a b/", "slurm+ssh://h\n/", "slurm+ssh://h/\x00", "slurm+ssh://h/\xff", "slurm+ssh://u:secret@h/", "slurm+ssh://@h/", "slurm+ssh://-l@h/",
		"slurm://h/?a=%zz", "slurm://h/?a=%0a", "slurm://h/?a b=c", "slurm://h/?a;b", "slurm://h/?%22=1", "slurm://[::1/", "slurm://[]/", "slurm://[h]/", "slurm://[::1]x/",
		"slurm+ssh://xsede#stampede/", "slurm://" + strings.Repeat("h", 256), "slurm://h/" + strings.Repeat("p", 5000), "slurm://h#f/", "slurm://%68/",
		"slurm://h/?a=" + strings.Repeat(`\`, 2000), // short enough as it is, too long when written with escapes
	} {
		if e, err := resource.ParseEndpoint(raw); pilot.CodeOf(err) != pilot.Invalid || len(err.Error()) > 1000 {
			t.Errorf("%q: %+v, %v", raw, e, err)
		}
	}
}

func FuzzEndpoint(f *testing.F) {
	for _, raw := range []string{
		"fork://localhost/", "slurm+ssh://me@h:22/p?queue=x&gres=ccm", "ssh+pbspro://h", "go://a#b/", "slurm://[::1]:5/?a=%20b", "condor://h", "sge+ssh://h/?m=a~1.5b",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		e, err := resource.ParseEndpoint(raw)
		if err != nil {
			if c := pilot.CodeOf(err); c != pilot.Invalid && c != pilot.Unsupported || len(err.Error()) > 2000 {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		for _, word := range []string{e.Host, e.User} {
			if strings.HasPrefix(word, "-") || strings.ContainsAny(word, " \t\n;&|`$()<>'\"\\") {
				t.Fatalf("%q gives the word %q", raw, word)
			}
		}
		written := e.String()
		again, err := resource.ParseEndpoint(written)
		if err != nil || endpointDiff(again, e) != "" || again.String() != written {
			t.Fatalf("%.200q is written %.200q, read again: %.200v %s", raw, written, err, endpointDiff(again, e))
		}
	})
}
