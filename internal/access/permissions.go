package access

import (
	"slices"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/subject"
)

// Permissions are the subjects that a user may use. What is not listed is
// denied.
type Permissions struct {
	Publish       []string
	Subscribe     []string
	DenyPublish   []string
	DenySubscribe []string
	// Respond lets the user answer whatever it is asked, for that long; 0: never.
	// It must outlast the longest request of the API, a wait of ten minutes.
	Respond time.Duration
}

// Responses is how many answers a request may have. One is given; but launchers
// get what agents say twice, as one of the fleet and to overhear it, and servers
// count the second delivery (nats-server 2.15.2, client.go: pubAllowedFullCheck
// counts for whoever only asks).
const Responses = 2

// replyTimeout outlasts the longest request of the API.
const replyTimeout = 15 * time.Minute

// outputPattern is where the launchers of all resources are asked what a payload prints.
func outputPattern() string { return subject.Output("*.*") }

// sortedUnique has each subject once.
func (p Permissions) sortedUnique() Permissions {
	slices.Sort(p.Publish)
	slices.Sort(p.Subscribe)
	p.Publish, p.Subscribe = slices.Compact(p.Publish), slices.Compact(p.Subscribe)
	return p
}

// Permissions gives what one of the account's users needs, and no more.
func (a *Account) Permissions(u *User) Permissions {
	p := Permissions{Subscribe: []string{u.inboxSubjects()}}
	switch u.Role {
	case Manager:
		p.addManager(a, u)
	case Launcher:
		p.addLauncher(u)
	case Client:
		p.addPublish(subject.API(">"), outputPattern())
		if u.Watch {
			p.readBy(a, u)
		}
	case Subscriber:
		p.readBy(a, u)
	case Agent:
		for _, verb := range []string{"activate", "beat", "finish"} {
			p.addPublish(subject.AnyAgent(u.Resource, verb))
		}
	case Leaf:
		p.addLeaf(a, u)
	case Admin:
		p = Permissions{
			Publish: []string{">"}, Subscribe: []string{">"}, DenyPublish: []string{subject.UserPrefix + ">", subject.AnyReader}, DenySubscribe: []string{subject.AgentPrefix + ">"},
		}
	}
	return p.sortedUnique()
}

func (p *Permissions) addPublish(subjects ...string) { p.Publish = append(p.Publish, subjects...) }

func (p *Permissions) addManager(a *Account, u *User) {
	p.addReader(u)
	p.forward(a)
	p.addPublish(subject.Stored()...)
	// It makes log and leases where there are none; to change them takes an admin.
	p.addPublish(subject.AccountInfo, subject.StreamCreate(subject.Stream), subject.StreamCreate(subject.LeaseStream))
	p.addLeaseReader()
	p.addPublish(subject.API(">"), u.requestSubjects(), outputPattern()) // the live page asks, as the user that it is
	p.Subscribe = append(p.Subscribe, subject.API(">"), subject.UserPrefix+">", subject.AnyReader, subject.MicroPrefix+">")
	p.Respond = replyTimeout
}

func (p *Permissions) addLauncher(u *User) {
	site := u.siteName()
	p.addReader(u)
	p.addLeaseReader()
	p.addPublish(
		subject.ChangePrefix+u.Resource+".>", subject.NotePrefix+u.Resource+".>",
		subject.Lease(subject.LauncherLease(u.Resource, "*")), subject.Lease(subject.PollLease(site+".*")),
		subject.Poll(site+".*"),
	)
	queue := subject.QueueConsumer(u.Resource)
	p.addPublish(
		subject.ConsumerCreate+"."+queue+"."+subject.Submits(u.Resource),
		subject.ConsumerInfo+"."+queue,
		subject.ConsumerNext+"."+queue,
	)
	p.addPublish(subject.Acks(queue)...)
	p.Subscribe = append(p.Subscribe,
		subject.AnyAgent(u.Resource, "*"), subject.Fleet(u.Resource, "*"), subject.Poll(site+".*"))
	p.Respond = replyTimeout
}

// ThroughLeaf adds what a site's server makes of the JetStream API: a leaf node
// passes it on under the name of the hub only (deploy/nats/leaf.conf).
func (p Permissions) ThroughLeaf() Permissions {
	for _, s := range p.Publish {
		if what, ok := strings.CutPrefix(s, subject.JetStreamAPI); ok {
			p.addPublish(subject.HubPrefix + what)
		} else if strings.HasPrefix(s, subject.KeyValuePrefix) {
			p.addPublish(subject.HubPrefix + s)
		}
	}
	return p.sortedUnique()
}

// addLeaf is what the launchers of a site need, through its server. What agents ask
// them does not leave the site, and what the log sends live does not come there: a
// link of little bandwidth carries what is asked for. For where there is no launcher yet it has inboxes:
// servers take an empty list for leave to do anything.
func (p *Permissions) addLeaf(a *Account, leaf *User) {
	p.addPublish(leaf.InboxPrefix() + ".>")
	for _, u := range a.Users {
		if u.Role == Launcher {
			l := a.Permissions(u).ThroughLeaf()
			p.addPublish(l.Publish...)
			p.Subscribe = append(p.Subscribe, l.Subscribe...)
			p.Respond = l.Respond
		}
	}
	p.Subscribe = slices.DeleteFunc(p.Subscribe, func(s string) bool {
		return strings.HasPrefix(s, subject.AgentPrefix) || strings.HasPrefix(s, subject.LivePrefix)
	})
}

// look lets the user read the log by position or subject, and live.
func (p *Permissions) look(u *User) {
	p.addPublish(
		subject.StreamInfo(subject.Stream), subject.MessageGet(subject.Stream), subject.DirectGet, subject.DirectGet+".>",
	)
	p.Subscribe = append(p.Subscribe, subject.Live(">"))
	if u.subscribesLog() {
		p.Subscribe = append(p.Subscribe, subject.Stored()...)
	}
}

// addReader lets the user read the log, and by consumers of its own names, which it asks
// JetStream itself for.
func (p *Permissions) addReader(u *User) {
	p.look(u)
	for slot := range subject.TailSlots {
		name := subject.TailConsumer(u.Name, slot)
		p.addConsumer(name)
		p.addPublish(subject.ConsumerDurable + "." + name) // as nats.py makes durable ones
		p.addPublish(subject.Acks(name)...)
	}
	if u.Role != Launcher { // all of that goes over the link of a site, whose server takes no such list
		for n := range subject.OrderedSlots {
			p.addConsumer(subject.OrderedConsumer(u.Name, n+1))
		}
		for slot := range subject.TailSlots {
			p.addPublish(subject.Flow(subject.TailConsumer(u.Name, slot))...)
		}
		p.addPublish(subject.StreamNames) // libraries look there for who stores a subject
	}
}

// readBy lets the user read the log from an account of its own, where consumers may have
// any name because managers give them one that is the reader's. In the account of the log, where users are
// whose tokens are of before there were others, only JetStream would answer.
func (p *Permissions) readBy(a *Account, u *User) {
	if a.IsMain() {
		p.addReader(u)
		return
	}
	p.look(u)
	p.addPublish(readerSubjects()...)
	for _, name := range pulled(u.Name) {
		p.addPublish(subject.ConsumerNext + "." + name)
	}
	for _, name := range acknowledged(u.Name) {
		p.addPublish(subject.Acks(name)...)
	}
	p.addPublish(subject.StreamNames, subject.AccountInfo) // libraries look there for who stores a subject, and whether there is JetStream
}

// forward lets a manager make, use and remove consumers for readers, and its own, but not
// the queues of launchers.
func (p *Permissions) forward(a *Account) {
	p.addPublish(
		subject.ConsumerCreate+".>", subject.ConsumerDurable+".*", subject.ConsumerInfo+".*",
		subject.ConsumerDelete+".*", subject.ConsumerNext+".*", subject.FlowPrefix+">",
	)
	for _, resource := range a.Resources {
		queue := "." + subject.QueueConsumer(resource)
		p.DenyPublish = append(p.DenyPublish,
			subject.ConsumerCreate+queue, subject.ConsumerCreate+queue+".>", subject.ConsumerDurable+queue,
			subject.ConsumerDelete+queue, subject.ConsumerNext+queue,
		)
	}
}

// addConsumer lets the user make, use and remove one consumer.
func (p *Permissions) addConsumer(name string) {
	p.addPublish(
		subject.ConsumerCreate+"."+name, subject.ConsumerCreate+"."+name+".>",
		subject.ConsumerInfo+"."+name, subject.ConsumerDelete+"."+name,
		subject.ConsumerNext+"."+name,
	)
}

// subscribesLog says whether what is stored is heard in the user's account under the
// subjects of the log, too. Where launchers are, who write there, it would come twice.
func (u *User) subscribesLog() bool { return u.Role == Subscriber || u.Role == Client && u.Watch }

func (p *Permissions) addLeaseReader() {
	p.addPublish(subject.StreamInfo(subject.LeaseStream), subject.MessageGet(subject.LeaseStream))
}
