package bus

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flightlog/flightlog/internal/subject"

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

	mu       sync.Mutex
	stats    []*micro.EndpointStats // by endpoint
	limiters []*requestLimiter      // the same
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

// addEndpoint makes an endpoint known and gives what counts its answers; err is what was
// answered instead of an answer.
func (d *discovery) addEndpoint(name string, load *requestLimiter) (count func(took time.Duration, err error)) {
	stats := &micro.EndpointStats{
		Name: strings.ReplaceAll(name, ".", "-"), Subject: subject.API(name), QueueGroup: micro.DefaultQueueGroup,
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats, d.limiters = append(d.stats, stats), append(d.limiters, load)
	return func(took time.Duration, err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		stats.NumRequests++
		stats.ProcessingTime += took
		stats.AverageProcessingTime = stats.ProcessingTime / time.Duration(stats.NumRequests)
		if err != nil {
			stats.NumErrors++
			stats.LastError = summarizeError(errorBodyOf(err))
		}
	}
}

func (d *discovery) pingReply() any {
	return micro.Ping{ServiceIdentity: d.identity, Type: micro.PingResponseType}
}

func (d *discovery) infoReply() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	info := micro.Info{ServiceIdentity: d.identity, Type: micro.InfoResponseType, Description: "pilot jobs"}
	for _, e := range d.stats {
		info.Endpoints = append(info.Endpoints, micro.EndpointInfo{Name: e.Name, Subject: e.Subject, QueueGroup: e.QueueGroup})
	}
	return info
}

// endpointLoad is what the statistics of an endpoint say beside those of every service.
type endpointLoad struct {
	Answering int `json:"answering"` // now
	Waiting   int `json:"waiting"`   // for their turn
}

func (d *discovery) statsReply() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := micro.Stats{ServiceIdentity: d.identity, Type: micro.StatsResponseType, Started: d.started}
	for i, e := range d.stats {
		now := *e
		var l endpointLoad
		l.Answering, l.Waiting = d.limiters[i].counts()
		now.Data, _ = json.Marshal(l) // two numbers
		all.Endpoints = append(all.Endpoints, &now)
	}
	return all
}

// serveDiscovery answers who asks for services in general, for this one by name, or
// for this replica by its id.
func (s *requestServer) serveDiscovery() error {
	for verb, tell := range map[micro.Verb]func() any{
		micro.PingVerb: s.discovery.pingReply, micro.InfoVerb: s.discovery.infoReply, micro.StatsVerb: s.discovery.statsReply,
	} {
		for _, of := range [][2]string{{"", ""}, {s.cfg.Name, ""}, {s.cfg.Name, s.discovery.identity.ID}} {
			control, err := micro.ControlSubject(verb, of[0], of[1])
			if err != nil {
				return err
			}
			answer := func(m *nats.Msg) {
				if !hasReplyInbox(m.Reply) {
					s.rejections.logReplySubject(m.Reply)
					return
				}
				data, _ := json.Marshal(tell()) // it holds texts and numbers
				s.conn.sendReply(m, &nats.Msg{Data: data}, nil)
			}
			if err := s.addSubscription(control, "", answer); err != nil {
				return err
			}
		}
	}
	return nil
}
