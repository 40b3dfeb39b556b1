package ops

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/buildinfo"
	"github.com/flightlog/flightlog/pilot"
)

// metrics are what is counted as it happens; the rest is asked for when
// somebody scrapes, see collector.
type metrics struct {
	registry *prometheus.Registry

	commands    *prometheus.CounterVec
	commandTime *prometheus.HistogramVec
	appendTime  *prometheus.HistogramVec
	launchTime  *prometheus.HistogramVec
	queueWait   *prometheus.HistogramVec
	changes     *prometheus.CounterVec
	fenced      *prometheus.CounterVec
	native      *prometheus.CounterVec
	nativeTime  *prometheus.HistogramVec
}

// Bounds of the buckets, in seconds.
var (
	answerBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20} // an answer, an append
	launchBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}       // something done by a batch system
	queueBuckets  = []float64{.01, .1, 1, 10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800}
)

// newMetrics makes a registry of its own: what other packages register is none
// of ours.
func newMetrics(b buildinfo.Info, dropped func() uint64) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		commands: counter("flightlog_commands_total",
			"Requests answered, by endpoint and result: ok, or the code of the error.", "op", "result"),
		commandTime: histogram("flightlog_command_duration_seconds",
			"Time from request to answer, by endpoint. Those that wait for pilots are not in it.", answerBuckets, "op"),
		appendTime: histogram("flightlog_append_duration_seconds",
			"Time an append to the log took, repetitions included, by who appends and result: ok, or the code of the error.",
			answerBuckets, "part", "result"),
		launchTime: histogram("flightlog_launch_duration_seconds",
			"Time from a launcher's claim of a pilot to the batch job's place in the log.", launchBuckets, "resource"),
		queueWait: histogram("flightlog_queue_wait_seconds",
			"Time pilots spent in the batch system's queue, from PENDING_ACTIVE to ACTIVE.", queueBuckets, "resource"),
		changes: counter("flightlog_pilot_changes_total",
			"Changes of pilots that this process has put into the log, by kind.", "resource", "kind"),
		fenced: counter("flightlog_fenced_duplicates_total",
			"Duplicates shut out: a job whose attempt was superseded while it was submitted, an agent without a claim.", "what"),
		native: counter("flightlog_native_calls_total",
			"Calls of a batch system's own commands, by command and result.", "system", "command", "result"),
		nativeTime: histogram("flightlog_native_call_duration_seconds",
			"Time a call of a batch system's own command took.", launchBuckets, "system", "command"),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "flightlog_build_info", Help: "What this binary is; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Commit, "goversion": b.Go},
	})
	info.Set(1)
	m.registry.MustRegister(
		droppedLines(dropped),
		m.commands, m.commandTime, m.appendTime, m.launchTime, m.queueWait, m.changes, m.fenced, m.native, m.nativeTime, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// droppedLines counts what the log of the process lacks; nil: nothing.
func droppedLines(dropped func() uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "flightlog_dropped_log_lines_total",
		Help: "Lines of this process's own log that were dropped: nobody took them, or they could not be written.",
	}, func() float64 {
		if dropped == nil {
			return 0
		}
		return float64(dropped())
	})
}

const (
	maxScrapes    = 4                // at once
	maxScrapeTime = 10 * time.Second // Prometheus's own patience, by default
)

func (m *metrics) newHandler() http.Handler {
	return promhttp.InstrumentMetricHandler(m.registry, promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes, Timeout: maxScrapeTime,
	}))
}

// CallObserver counts native calls.
func (p *Server) CallObserver() adaptor.Observer {
	if p == nil {
		return nil
	}
	return func(c adaptor.Call) {
		p.native.WithLabelValues(c.System, c.Command, c.Result).Inc()
		p.nativeTime.WithLabelValues(c.System, c.Command).Observe(c.Took.Seconds())
	}
}

// resultLabel names what came of something.
func resultLabel(err error) string {
	if err == nil {
		return "ok"
	}
	return string(pilot.CodeOf(err))
}
