package ops_test

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/pilot"
)

// metricShape is a metric's type and labels.
type metricShape struct {
	kind   dto.MetricType
	labels string
}

// ourMetrics are all metrics of ours: names and labels are a promise to dashboards.
var ourMetrics = map[string]metricShape{
	"flightlog_build_info":                   {dto.MetricType_GAUGE, "goversion revision version"},
	"flightlog_ready":                        {dto.MetricType_GAUGE, "part resource"},
	"flightlog_bus_connected":                {dto.MetricType_GAUGE, "part resource"},
	"flightlog_log_lag_entries":              {dto.MetricType_GAUGE, "part resource"},
	"flightlog_pilots":                       {dto.MetricType_GAUGE, "resource state"},
	"flightlog_degraded_pilots":              {dto.MetricType_GAUGE, ""},
	"flightlog_log_oddities_total":           {dto.MetricType_COUNTER, "kind"},
	"flightlog_torn_lists":                   {dto.MetricType_GAUGE, ""},
	"flightlog_torn_list_pilots":             {dto.MetricType_GAUGE, ""},
	"flightlog_store_size_bytes":             {dto.MetricType_GAUGE, "limit"},
	"flightlog_store_room_bytes":             {dto.MetricType_GAUGE, "limit"},
	"flightlog_store_reserve_bytes":          {dto.MetricType_GAUGE, "limit"},
	"flightlog_dropped_log_lines_total":      {dto.MetricType_COUNTER, ""},
	"flightlog_waited_pilots":                {dto.MetricType_GAUGE, ""},
	"flightlog_poll_age_seconds":             {dto.MetricType_GAUGE, "resource system"},
	"flightlog_launcher_held_commands":       {dto.MetricType_GAUGE, "resource"},
	"flightlog_launcher_followed_pilots":     {dto.MetricType_GAUGE, "resource"},
	"flightlog_launcher_effects":             {dto.MetricType_GAUGE, "resource state"},
	"flightlog_commands_total":               {dto.MetricType_COUNTER, "op result"},
	"flightlog_command_duration_seconds":     {dto.MetricType_HISTOGRAM, "op"},
	"flightlog_append_duration_seconds":      {dto.MetricType_HISTOGRAM, "part result"},
	"flightlog_launch_duration_seconds":      {dto.MetricType_HISTOGRAM, "resource"},
	"flightlog_queue_wait_seconds":           {dto.MetricType_HISTOGRAM, "resource"},
	"flightlog_pilot_changes_total":          {dto.MetricType_COUNTER, "kind resource"},
	"flightlog_fenced_duplicates_total":      {dto.MetricType_COUNTER, "what"},
	"flightlog_native_calls_total":           {dto.MetricType_COUNTER, "command result system"},
	"flightlog_native_call_duration_seconds": {dto.MetricType_HISTOGRAM, "command system"},
}

// families scrapes.
func (s *fixture) families() map[string]*dto.MetricFamily {
	s.t.Helper()
	code, body := s.get("/metrics")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil || code != http.StatusOK {
		s.t.Fatalf("metrics: %d, %v", code, err)
	}
	return all
}

// value finds one series: labels are names and values in turns.
func value(all map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range all[name].GetMetric() {
		if !has(m, labels) {
			continue
		}
		switch {
		case m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount())
		case m.Counter != nil:
			return m.Counter.GetValue()
		default:
			return m.Gauge.GetValue()
		}
	}
	return -1
}

func has(m *dto.Metric, labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		if !slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == labels[i] && l.GetValue() == labels[i+1] }) {
			return false
		}
	}
	return true
}

// TestMetricsMoveWithWhatTheyMeasure: three pilots, of which one ends well, one
// badly and one not yet, a request that is wrong and an agent that is not ours.
func TestMetricsMoveWithWhatTheyMeasure(t *testing.T) {
	t.Parallel()
	s := newFixture(t, ops.Config{Dropped: func() uint64 { return 7 }})
	s.startAll()
	m := s.createManager()
	ps, err := m.Submit(t.Context(), payload("true"), payload("false"), payload("sleep", "600"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []pilot.State{pilot.Done, pilot.Failed, pilot.Active} {
		if _, err := ps[i].Wait(t.Context(), client.WaitOptions{States: []pilot.State{want}, Timeout: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Submit(t.Context(), pilot.Description{Resource: "no.where", Cores: 1}); pilot.CodeOf(err) != pilot.Invalid {
		t.Fatal(err)
	}
	forged, err := s.client.Bus().AskLauncher(t.Context(),
		pilot.Key{Resource: localResource, Manager: m.UID(), Pilot: ps[2].UID()}, api.Activate, api.AgentRequest{Attempt: 1, Secret: "guessed"})
	if err != nil || forged.Refused == "" {
		t.Fatalf("a forged agent gets %+v, %v", forged, err)
	}
	s.awaitStatus(http.StatusOK)
	all := s.families()
	for name, want := range ourMetrics {
		f := all[name]
		if f == nil {
			t.Errorf("%s is not there", name)
			continue
		}
		if f.GetType() != want.kind || f.GetHelp() == "" {
			t.Errorf("%s is a %s, help %q", name, f.GetType(), f.GetHelp())
		}
	}
	ids := []string{m.UID(), ps[0].UID(), ps[1].UID(), ps[2].UID()}
	for name, f := range all {
		checkLabels(t, name, f, ids)
	}
	for _, c := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{1, "flightlog_ready", []string{"part", "manager"}},
		{1, "flightlog_ready", []string{"part", "launcher"}},
		{1, "flightlog_bus_connected", []string{"part", "launcher"}},
		{0, "flightlog_log_lag_entries", []string{"part", "manager"}},
		{0, "flightlog_log_lag_entries", []string{"part", "launcher"}},
		{1, "flightlog_pilots", []string{"state", "DONE", "resource", localResource}},
		{1, "flightlog_pilots", []string{"state", "FAILED", "resource", localResource}},
		{1, "flightlog_pilots", []string{"state", "ACTIVE", "resource", localResource}},
		{0, "flightlog_pilots", []string{"state", "CANCELING", "resource", localResource}},
		{0, "flightlog_degraded_pilots", nil},
		{7, "flightlog_dropped_log_lines_total", nil},
		{0, "flightlog_torn_lists", nil},
		{0, "flightlog_torn_list_pilots", nil},
		{0, "flightlog_waited_pilots", nil},
		{0, "flightlog_log_oddities_total", []string{"kind", "broken"}},
		{1, "flightlog_launcher_followed_pilots", nil},
		{0, "flightlog_launcher_held_commands", nil},
		{1, "flightlog_commands_total", []string{"op", "pilot.submit", "result", "ok"}},
		{1, "flightlog_commands_total", []string{"op", "pilot.submit", "result", "invalid"}},
		{2, "flightlog_command_duration_seconds", []string{"op", "pilot.submit"}},
		{-1, "flightlog_command_duration_seconds", []string{"op", "pilot.wait"}},
		{2, "flightlog_append_duration_seconds", []string{"part", "manager", "result", "ok"}},
		{11, "flightlog_append_duration_seconds", []string{"part", "launcher", "result", "ok"}},
		{3, "flightlog_launch_duration_seconds", []string{"resource", localResource}},
		{3, "flightlog_queue_wait_seconds", []string{"resource", localResource}},
		{3, "flightlog_pilot_changes_total", []string{"kind", "launching"}},
		{3, "flightlog_pilot_changes_total", []string{"kind", "active"}},
		{1, "flightlog_pilot_changes_total", []string{"kind", "failed"}},
		{1, "flightlog_fenced_duplicates_total", []string{"what", "agent"}},
		{3, "flightlog_native_calls_total", []string{"system", "fork", "command", "submit", "result", "ok"}},
		{3, "flightlog_native_call_duration_seconds", []string{"system", "fork", "command", "submit"}},
	} {
		if got := value(all, c.name, c.labels...); got != c.want {
			t.Errorf("%s %v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	if age := value(all, "flightlog_poll_age_seconds", "system", "fork"); age < 0 || age > 600 {
		t.Errorf("the oldest answer is of %v s ago", age)
	}
	if err := ps[2].Cancel(t.Context(), client.CancelOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := ps[2].Wait(t.Context(), client.WaitOptions{States: []pilot.State{pilot.Canceled}, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	s.awaitStatus(http.StatusOK)
	all = s.families()
	if now, then := value(all, "flightlog_pilots", "state", "CANCELED"), value(all, "flightlog_pilots", "state", "ACTIVE"); now != 1 || then != 0 {
		t.Errorf("after the cancel %v are CANCELED, %v ACTIVE", now, then)
	}
}

// checkLabels: metrics of ours have the labels they promise, and no metric has
// an id for a label.
func checkLabels(t *testing.T, name string, f *dto.MetricFamily, ids []string) {
	t.Helper()
	mine := strings.HasPrefix(name, "flightlog_")
	for _, m := range f.Metric {
		labels := []string{}
		for _, l := range m.Label {
			labels = append(labels, l.GetName())
			if slices.Contains(ids, l.GetValue()) {
				t.Errorf("%s has the id %s as label %s", name, l.GetValue(), l.GetName())
			}
		}
		slices.Sort(labels)
		if got := strings.Join(labels, " "); mine && got != ourMetrics[name].labels {
			t.Errorf("%s has labels %q, promised are %q", name, got, ourMetrics[name].labels)
		}
	}
}

// TestMetricsPassTheLinterOfPrometheus scrapes as Prometheus does.
func TestMetricsPassTheLinterOfPrometheus(t *testing.T) {
	t.Parallel()
	s := newFixture(t, ops.Config{})
	s.startAll()
	s.awaitStatus(http.StatusOK)
	_, body := s.get("/metrics")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if !strings.Contains(body, "go_goroutines") || !strings.Contains(body, "process_resident_memory_bytes") {
		t.Error("the metrics of Go and of the process are missing")
	}
}

// TestTheTableOfMetricsIsWhole: docs/operations.md tells of each metric, and of
// no other.
func TestTheTableOfMetricsIsWhole(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(flightlog_[a-z_]+)` \\| ([a-z ,]*) \\|").FindAllStringSubmatch(string(b), -1) {
		told[row[1]] = strings.ReplaceAll(row[2], ",", "")
	}
	want := map[string]string{}
	for name, s := range ourMetrics {
		want[name] = s.labels
	}
	if !maps.Equal(told, want) {
		t.Errorf("the table has\n%v\nthere are\n%v", told, want)
	}
}
