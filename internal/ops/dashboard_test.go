package ops_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// dashboard is what of a Grafana dashboard has to do with metrics.
type dashboard struct {
	Title      string
	Panels     []panel
	Templating struct {
		List []struct{ Name, Definition string }
	}
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Targets                  []struct{ Expr, LegendFormat string }
}

// foreignMetrics are the metrics that client libraries of Prometheus have.
var foreignMetrics = []string{"process_resident_memory_bytes", "process_cpu_seconds_total"}

// ourLabels gives the labels of a metric as Prometheus stores it; false: there is
// no such metric.
func ourLabels(name string) ([]string, bool) {
	if slices.Contains(foreignMetrics, name) {
		return []string{"job", "instance"}, true
	}
	s, ok := ourMetrics[name]
	found := append(strings.Fields(s.labels), "job", "instance")
	if ok {
		return found, s.kind != dto.MetricType_HISTOGRAM // which is stored as three others
	}
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		base, cut := strings.CutSuffix(name, part)
		if s, ok := ourMetrics[base]; cut && ok && s.kind == dto.MetricType_HISTOGRAM {
			return append(strings.Fields(s.labels), "job", "instance", "le"), true
		}
	}
	return nil, false
}

// TestTheDashboardAsksForWhatThereIs parses every query as Prometheus does and
// looks whether its metrics and labels are ours.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../deploy/grafana/flightlog.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q lacks something: %+v", p.ID, p.Title, p)
		}
		for _, q := range p.Targets {
			checkQuery(t, p.Title, q.Expr, q.LegendFormat, used)
		}
	}
	for _, v := range d.Templating.List {
		if v.Definition == "" {
			continue
		}
		m := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(v.Definition)
		if m == nil {
			t.Errorf("variable %s is %q", v.Name, v.Definition)
			continue
		}
		if has, ok := ourLabels(m[1]); !ok || !slices.Contains(has, m[2]) {
			t.Errorf("variable %s asks for %s of %s", v.Name, m[2], m[1])
		}
	}
	for name := range ourMetrics {
		if !used[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// variables are what Grafana fills in.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$resource", ".*")

func checkQuery(t *testing.T, title, query, legend string, used map[string]bool) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(variables.Replace(query))
	if err != nil {
		t.Errorf("%s: %s: %v", title, query, err)
		return
	}
	var has []string
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		of, ok := ourLabels(v.Name)
		if !ok {
			t.Errorf("%s: there is no metric %s", title, v.Name)
		}
		has = append(has, of...)
		for _, part := range []string{"", "_bucket", "_sum", "_count"} {
			used[strings.TrimSuffix(v.Name, part)] = true
		}
		for _, m := range v.LabelMatchers {
			if m.Name != model.MetricNameLabel && !slices.Contains(of, m.Name) {
				t.Errorf("%s: %s has no label %s", title, v.Name, m.Name)
			}
		}
		return nil
	})
	shown := has // what the outermost aggregation leaves
	outermost := true
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		a, ok := n.(*parser.AggregateExpr)
		if !ok {
			return nil
		}
		for _, name := range a.Grouping {
			if !slices.Contains(has, name) {
				t.Errorf("%s: %s groups by %s, which none of its metrics has", title, query, name)
			}
		}
		if outermost {
			shown, outermost = a.Grouping, false
		}
		return nil
	})
	for _, m := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(legend, -1) {
		if !slices.Contains(shown, m[1]) {
			t.Errorf("%s: its legend shows %s, which it has not", title, m[1])
		}
	}
}
