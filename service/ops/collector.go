package ops

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flightlog/flightlog/launcher"
	"github.com/flightlog/flightlog/manager"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/service/room"
)

// collector asks the parts how they stand when somebody scrapes. What a part
// does not answer is missing, not old.
type collector struct{ panel *Panel }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descReady     = desc("flightlog_ready", "Whether a part serves and has caught up with the log.", "part", "resource")
	descConnected = desc("flightlog_bus_connected", "Whether a part is connected to a server of the bus.", "part", "resource")
	descLag       = desc("flightlog_log_lag_entries",
		"How far a part is behind the end of what it reads of the log, in positions.", "part", "resource")
	descPilots = desc("flightlog_pilots",
		"Pilots in the log, by state and resource. Each replica of the manager counts all of them.", "state", "resource")
	descDegraded = desc("flightlog_degraded_pilots", "Pilots of which a message was not understood.")
	descOddities = desc("flightlog_log_oddities_total", "Messages read that moved nothing and should not have been there, by kind.", "kind")
	descTorn     = desc("flightlog_torn_lists", "Lists of pilots of which the log has only a part, and which are ignored for that.")
	descTornOf   = desc("flightlog_torn_list_pilots", "Pilots of torn lists: submits in the log that are ignored.")
	descSize     = desc("flightlog_store_size_bytes", "Bytes that the store may have, by what limits it.", "limit")
	descRoom     = desc("flightlog_store_room_bytes", "Bytes of them that are left.", "limit")
	descReserve  = desc("flightlog_store_reserve_bytes", "Bytes of them that are kept for what runs: with less room, nothing new begins.", "limit")
	descWaiting  = desc("flightlog_waited_pilots", "Pilots that requests wait for, each counted once for each request.")
	descPollAge  = desc("flightlog_poll_age_seconds", "Age of the oldest answer about a job that this launcher looks after.", "resource", "system")
	descHeld     = desc("flightlog_launcher_held_commands", "Submit commands that this launcher has off the queue.", "resource")
	descFollowed = desc("flightlog_launcher_followed_pilots", "Pilots of its resource that this launcher follows.", "resource")
	descEffects  = desc("flightlog_launcher_effects", "What this launcher does about pilots, running and waiting for a slot.", "resource", "state")
	allCollected = []*prometheus.Desc{
		descReady, descConnected, descLag, descPilots, descDegraded, descOddities, descTorn, descTornOf, descSize, descRoom, descReserve, descWaiting, descPollAge,
		descHeld, descFollowed, descEffects,
	}
)

// askTime is how long a scrape waits for the parts.
const askTime = 2 * time.Second

// Describe is for the registry.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range allCollected {
		out <- d
	}
}

// Collect asks all parts.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, stop := context.WithTimeout(context.Background(), askTime)
	defer stop()
	s := scrape{out}
	ready := map[Name]bool{}
	for _, v := range c.panel.readiness(ctx).Parts {
		ready[Name{v.Name, v.Resource}] = v.OK
	}
	for _, name := range c.panel.wanted {
		s.gauge(descReady, number(ready[name] && !c.panel.leaving.Load()), name.Part, name.Resource)
	}
	for _, t := range c.panel.all() {
		s.gauge(descConnected, number(t.conn.Connected()), t.name.Part, t.name.Resource)
		if t.manager != nil {
			s.store(t.room.Limits())
			if census, err := t.manager.Census(ctx); err == nil {
				s.manager(&census)
				s.lag(ctx, t, census.Applied)
			}
			continue
		}
		if census, err := t.launcher.Census(ctx); err == nil {
			s.launcher(t.name.Resource, &census)
			s.lag(ctx, t, census.Applied)
		}
	}
}

// scrape is one answer to Prometheus.
type scrape struct{ out chan<- prometheus.Metric }

func (s scrape) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s scrape) counter(d *prometheus.Desc, value uint64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
}

// lag is left out where the log cannot be asked.
func (s scrape) lag(ctx context.Context, t *Part, applied uint64) {
	if !t.conn.Connected() {
		return
	}
	if end, err := t.log.End(ctx, t.span); err == nil {
		s.gauge(descLag, float64(max(end, applied)-applied), t.name.Part, t.name.Resource)
	}
}

func (s scrape) store(limits []room.Kept) {
	for _, k := range limits {
		s.gauge(descSize, float64(k.Size), k.What)
		s.gauge(descRoom, float64(k.Left), k.What)
		s.gauge(descReserve, float64(k.Kept), k.What)
	}
}

func (s scrape) manager(c *manager.Census) {
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
			s.gauge(descPilots, float64(shown[projection.Tally{Resource: resource, State: state}]), state.String(), resource)
		}
	}
	s.gauge(descDegraded, float64(c.Degraded))
	s.gauge(descWaiting, float64(c.Waiting))
	s.gauge(descTorn, float64(c.Torn.Lists))
	s.gauge(descTornOf, float64(c.Torn.Births))
	s.counter(descOddities, c.Oddities.Refused, "refused")
	s.counter(descOddities, c.Oddities.Unknown, "unknown")
	s.counter(descOddities, c.Oddities.Broken, "broken")
}

func (s scrape) launcher(resource string, c *launcher.Census) {
	for system, age := range c.PollAge {
		s.gauge(descPollAge, age.Seconds(), resource, system)
	}
	s.gauge(descHeld, float64(c.Held), resource)
	s.gauge(descFollowed, float64(c.Live), resource)
	s.gauge(descEffects, float64(c.Effects), resource, "running")
	s.gauge(descEffects, float64(c.Waiting), resource, "waiting")
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
