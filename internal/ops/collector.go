package ops

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/internal/reserve"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// collector asks the parts how they stand when somebody scrapes. What a part
// does not answer is missing, not old.
type collector struct{ server *Server }

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descReady     = newDesc("flightlog_ready", "Whether a part serves and has caught up with the log.", "part", "resource")
	descConnected = newDesc("flightlog_bus_connected", "Whether a part is connected to a server of the bus.", "part", "resource")
	descLag       = newDesc("flightlog_log_lag_entries",
		"How far a part is behind the end of what it reads of the log, in positions.", "part", "resource")
	descPilots = newDesc("flightlog_pilots",
		"Pilots in the log, by state and resource. Each replica of the manager counts all of them.", "state", "resource")
	descDegraded = newDesc("flightlog_degraded_pilots", "Pilots of which a message was not understood.")
	descOddities = newDesc("flightlog_log_oddities_total", "Messages read that moved nothing and should not have been there, by kind.", "kind")
	descTorn     = newDesc("flightlog_torn_lists", "Lists of pilots of which the log has only a part, and which are ignored for that.")
	descTornOf   = newDesc("flightlog_torn_list_pilots", "Pilots of torn lists: submits in the log that are ignored.")
	descSize     = newDesc("flightlog_store_size_bytes", "Bytes that the store may have, by what limits it.", "limit")
	descRoom     = newDesc("flightlog_store_room_bytes", "Bytes of them that are left.", "limit")
	descReserve  = newDesc("flightlog_store_reserve_bytes", "Bytes of them that are kept for what runs: with less room, nothing new begins.", "limit")
	descWaiting  = newDesc("flightlog_waited_pilots", "Pilots that requests wait for, each counted once for each request.")
	descPollAge  = newDesc("flightlog_poll_age_seconds", "Age of the oldest answer about a job that this launcher looks after.", "resource", "system")
	descHeld     = newDesc("flightlog_launcher_held_commands", "Submit commands that this launcher has off the queue.", "resource")
	descFollowed = newDesc("flightlog_launcher_followed_pilots", "Pilots of its resource that this launcher follows.", "resource")
	descEffects  = newDesc("flightlog_launcher_effects", "What this launcher does about pilots, running and waiting for a slot.", "resource", "state")
	allCollected = []*prometheus.Desc{
		descReady, descConnected, descLag, descPilots, descDegraded, descOddities, descTorn, descTornOf, descSize, descRoom, descReserve, descWaiting, descPollAge,
		descHeld, descFollowed, descEffects,
	}
)

// scrapeTimeout is how long a scrape waits for the parts.
const scrapeTimeout = 2 * time.Second

// Describe is for the registry.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range allCollected {
		out <- d
	}
}

// Collect asks all parts.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, stop := context.WithTimeout(context.Background(), scrapeTimeout)
	defer stop()
	s := scrape{out}
	ready := map[ComponentName]bool{}
	for _, v := range c.server.checkReadiness(ctx).Parts {
		ready[ComponentName{v.Name, v.Resource}] = v.OK
	}
	for _, name := range c.server.required {
		s.sendGauge(descReady, boolValue(ready[name] && !c.server.stopping.Load()), name.Kind, name.Resource)
	}
	for _, t := range c.server.listComponents() {
		s.sendGauge(descConnected, boolValue(t.conn.Connected()), t.name.Kind, t.name.Resource)
		if t.manager != nil {
			s.sendStore(t.room.KeptLimits())
			if census, err := t.manager.Stats(ctx); err == nil {
				s.sendManager(&census)
				s.sendLag(ctx, t, census.Applied)
			}
			continue
		}
		if census, err := t.launcher.Stats(ctx); err == nil {
			s.sendLauncher(t.name.Resource, &census)
			s.sendLag(ctx, t, census.Applied)
		}
	}
}

// scrape is one answer to Prometheus.
type scrape struct{ out chan<- prometheus.Metric }

func (s scrape) sendGauge(d *prometheus.Desc, value float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s scrape) sendCounter(d *prometheus.Desc, value uint64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
}

// sendLag is left out where the log cannot be asked.
func (s scrape) sendLag(ctx context.Context, t *Component, applied uint64) {
	if !t.conn.Connected() {
		return
	}
	if end, err := t.log.End(ctx, t.span); err == nil {
		s.sendGauge(descLag, float64(max(end, applied)-applied), t.name.Kind, t.name.Resource)
	}
}

func (s scrape) sendStore(limits []reserve.Kept) {
	for _, k := range limits {
		s.sendGauge(descSize, float64(k.Size), k.What)
		s.sendGauge(descRoom, float64(k.Left), k.What)
		s.sendGauge(descReserve, float64(k.Kept), k.What)
	}
}

func (s scrape) sendManager(c *manager.Stats) {
	resources := map[string]bool{}
	shown := map[projection.Tally]int{}
	for t, n := range c.Pilots {
		resources[t.Resource] = true
		if t.State == pilot.Stopping {
			t.State = pilot.Canceling // users see one state
		}
		shown[t] += n
	}
	for resource := range resources { // all states, so that none vanishes when it is empty
		for _, state := range pilot.States() {
			s.sendGauge(descPilots, float64(shown[projection.Tally{Resource: resource, State: state}]), state.String(), resource)
		}
	}
	s.sendGauge(descDegraded, float64(c.Degraded))
	s.sendGauge(descWaiting, float64(c.WaitPlaces))
	s.sendGauge(descTorn, float64(c.Torn.Lists))
	s.sendGauge(descTornOf, float64(c.Torn.Births))
	s.sendCounter(descOddities, c.Oddities.Refused, "refused")
	s.sendCounter(descOddities, c.Oddities.Unknown, "unknown")
	s.sendCounter(descOddities, c.Oddities.Broken, "broken")
}

func (s scrape) sendLauncher(resource string, c *launcher.Stats) {
	for system, age := range c.PollAge {
		s.sendGauge(descPollAge, age.Seconds(), resource, system)
	}
	s.sendGauge(descHeld, float64(c.Held), resource)
	s.sendGauge(descFollowed, float64(c.Live), resource)
	s.sendGauge(descEffects, float64(c.Effects), resource, "running")
	s.sendGauge(descEffects, float64(c.Waiting), resource, "waiting")
}

func boolValue(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
