package bus

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/nats-io/nuid"
)

// discovery answers the PING, INFO and STATS of NATS micro services for one service
// (ADR-32 of nats-io/nats-architecture-and-design, nats.go v1.55 micro). Package
// micro counts only what its handlers have answered when they return: neither the
// errors nor the time of those that answer from a goroutine of their own.
type discovery struct {
	identity micro.ServiceIdentity
	started  time.Time

	mu    sync.Mutex
	stats []*micro.EndpointStats // by endpoint
	loads []*turns               // the same
}

func newDiscovery(s *Service) *discovery {
	return &discovery{
		identity: micro.ServiceIdentity{
			Name: s.Name, ID: nuid.Next(), Version: s.Version,
			Metadata: map[string]string{"epoch": strconv.FormatInt(s.Epoch, 10)},
		},
		started: time.Now().UTC(),
	}
}

// add makes an endpoint known and gives what counts its answers; err is what was
// answered instead of an answer.
func (d *discovery) add(name string, load *turns) (count func(took time.Duration, err error)) {
	stats := &micro.EndpointStats{
		Name: strings.ReplaceAll(name, ".", "-"), Subject: group + "." + name, QueueGroup: micro.DefaultQueueGroup,
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats, d.loads = append(d.stats, stats), append(d.loads, load)
	return func(took time.Duration, err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		stats.NumRequests++
		stats.ProcessingTime += took
		stats.AverageProcessingTime = stats.ProcessingTime / time.Duration(stats.NumRequests)
		if err != nil {
			stats.NumErrors++
			stats.LastError = summary(refusal(err))
		}
	}
}

func (d *discovery) ping() any {
	return micro.Ping{ServiceIdentity: d.identity, Type: micro.PingResponseType}
}

func (d *discovery) info() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	info := micro.Info{ServiceIdentity: d.identity, Type: micro.InfoResponseType, Description: "pilot jobs"}
	for _, e := range d.stats {
		info.Endpoints = append(info.Endpoints, micro.EndpointInfo{Name: e.Name, Subject: e.Subject, QueueGroup: e.QueueGroup})
	}
	return info
}

// load is what the statistics of an endpoint say beside those of every service.
type load struct {
	Answering int `json:"answering"` // now
	Waiting   int `json:"waiting"`   // for their turn
}

func (d *discovery) statistics() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := micro.Stats{ServiceIdentity: d.identity, Type: micro.StatsResponseType, Started: d.started}
	for i, e := range d.stats {
		now := *e
		var l load
		l.Answering, l.Waiting = d.loads[i].load()
		now.Data, _ = json.Marshal(l) // two numbers
		all.Endpoints = append(all.Endpoints, &now)
	}
	return all
}

// introduce answers who asks for services in general, for this one by name, or
// for this replica by its id.
func (s *serving) introduce() error {
	for verb, tell := range map[micro.Verb]func() any{
		micro.PingVerb: s.discovery.ping, micro.InfoVerb: s.discovery.info, micro.StatsVerb: s.discovery.statistics,
	} {
		for _, of := range [][2]string{{"", ""}, {s.service.Name, ""}, {s.service.Name, s.discovery.identity.ID}} {
			subject, err := micro.ControlSubject(verb, of[0], of[1])
			if err != nil {
				return err
			}
			answer := func(m *nats.Msg) {
				if !answerable(m.Reply) {
					s.refusals.reply(m.Reply)
					return
				}
				data, _ := json.Marshal(tell()) // it holds texts and numbers
				s.conn.respond(m, &nats.Msg{Data: data}, nil)
			}
			if err := s.subscribe(subject, "", answer); err != nil {
				return err
			}
		}
	}
	return nil
}
