package access

import (
	"slices"
	"strconv"
	"strings"
	"time"
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

// respond outlasts the longest request of the API.
const respond = 15 * time.Minute

// Names of package bus; a test on a real server holds the two together.
const (
	log    = "PILOTS"
	leases = "PILOTS_LEASES"
	api    = "$JS.API."
	hub    = "$JS.hub.API."
)

// agents is what subjects begin with at which agents ask.
const agents = "pilots.agent."

// live is what the subjects begin with under which the log sends what it has stored:
// live, and behind it the subject without pilots.
const live = "pilots.live."

// output is where launchers are asked what a payload prints.
const output = "pilots.fleet.*.*.output"

// TailSlots is how many consumers a user may have to read the log with.
const TailSlots = 8

// Tail is the name of one of a user's consumers of the log, durable or not.
func Tail(user string, slot int) string { return tails(user) + "-" + strconv.Itoa(slot) }

// tails is what the names of a user's consumers begin with.
func tails(user string) string { return "tail-" + user }

// OrderedSlots is how many ordered consumers of the client libraries a user in the account of
// the log may make one after the other. They count on with each interruption (nats.go 1.55.0,
// ordered.go: getConsumerConfig makes <prefix>_<n>), and begin anew with the program.
const OrderedSlots = 32

// ordered is the name of one of them; the prefix that the reader gives is tails.
func ordered(user string, n int) string { return tails(user) + "_" + strconv.Itoa(n) }

// Queue is the name of the consumer that launchers of a resource share. No token has
// a =, so that names differ as resources do.
func Queue(resource string) string { return "launcher-" + strings.ReplaceAll(resource, ".", "=") }

// sorted has each subject once.
func (p Permissions) sorted() Permissions {
	slices.Sort(p.Publish)
	slices.Sort(p.Subscribe)
	p.Publish, p.Subscribe = slices.Compact(p.Publish), slices.Compact(p.Subscribe)
	return p
}

// Permissions gives what one of the account's users needs, and no more.
func (a *Account) Permissions(u *User) Permissions {
	p := Permissions{Subscribe: []string{u.inbox()}}
	switch u.Role {
	case Manager:
		p.manager(a, u)
	case Launcher:
		p.launcher(u)
	case Client:
		p.publish(asking, output)
		if u.Watch {
			p.readBy(a, u)
		}
	case Subscriber:
		p.readBy(a, u)
	case Agent:
		for _, verb := range []string{"activate", "beat", "finish"} {
			p.publish(agents + u.Resource + ".*.*." + verb)
		}
	case Leaf:
		p.link(a, u)
	case Admin:
		p = Permissions{
			Publish: []string{">"}, Subscribe: []string{">"}, DenyPublish: []string{askers + ">", AnyReader}, DenySubscribe: []string{agents + ">"},
		}
	}
	return p.sorted()
}

func (p *Permissions) publish(subjects ...string) { p.Publish = append(p.Publish, subjects...) }

// trees are what the log stores.
func trees() []string {
	return []string{"pilots.cmd.>", "pilots.evt.>", "pilots.note.>", "pilots.mgr.>", "pilots.ses.>", "pilots.res.>"}
}

func (p *Permissions) manager(a *Account, u *User) {
	p.read(u)
	p.forward(a)
	p.publish(trees()...)
	// It makes log and leases where there are none; to change them takes an admin.
	p.publish(api+"INFO", api+"STREAM.CREATE."+log, api+"STREAM.CREATE.KV_"+leases)
	p.lookUpLeases()
	p.publish(asking, u.asks(), output) // the live page asks, as the user that it is
	p.Subscribe = append(p.Subscribe, asking, askers+">", AnyReader, "$SRV.>")
	p.Respond = respond
}

func (p *Permissions) launcher(u *User) {
	site := u.site()
	p.read(u)
	p.lookUpLeases()
	p.publish(
		"pilots.evt."+u.Resource+".>", "pilots.note."+u.Resource+".>",
		"$KV."+leases+".launcher."+u.Resource+".*", "$KV."+leases+".poll."+site+".*",
		"pilots.poll."+site+".*",
	)
	queue := Queue(u.Resource)
	p.publish(
		api+"CONSUMER.CREATE."+log+"."+queue+".pilots.cmd."+u.Resource+".*.*.submit",
		api+"CONSUMER.INFO."+log+"."+queue,
		api+"CONSUMER.MSG.NEXT."+log+"."+queue,
	)
	p.publish(acknowledging(queue)...)
	p.Subscribe = append(p.Subscribe,
		agents+u.Resource+".*.*.*", "pilots.fleet."+u.Resource+".*", "pilots.poll."+site+".*")
	p.Respond = respond
}

// ThroughLeaf adds what a site's server makes of the JetStream API: a leaf node
// passes it on under the name of the hub only (deploy/nats/leaf.conf).
func (p Permissions) ThroughLeaf() Permissions {
	for _, subject := range p.Publish {
		if what, ok := strings.CutPrefix(subject, api); ok {
			p.publish(hub + what)
		} else if strings.HasPrefix(subject, "$KV.") {
			p.publish(hub + subject)
		}
	}
	return p.sorted()
}

// link is what the launchers of a site need, through its server. What agents ask
// them does not leave the site, and what the log sends live does not come there: a
// link of little bandwidth carries what is asked for. For where there is no launcher yet it has inboxes:
// servers take an empty list for leave to do anything.
func (p *Permissions) link(a *Account, leaf *User) {
	p.publish(leaf.InboxPrefix() + ".>")
	for _, u := range a.Users {
		if u.Role == Launcher {
			l := a.Permissions(u).ThroughLeaf()
			p.publish(l.Publish...)
			p.Subscribe = append(p.Subscribe, l.Subscribe...)
			p.Respond = l.Respond
		}
	}
	p.Subscribe = slices.DeleteFunc(p.Subscribe, func(subject string) bool {
		return strings.HasPrefix(subject, agents) || strings.HasPrefix(subject, live)
	})
}

// look lets the user read the log by position or subject, and live.
func (p *Permissions) look(u *User) {
	p.publish(
		api+"STREAM.INFO."+log, api+"STREAM.MSG.GET."+log, api+"DIRECT.GET."+log, api+"DIRECT.GET."+log+".>",
	)
	p.Subscribe = append(p.Subscribe, live+">")
	if u.hearsTrees() {
		p.Subscribe = append(p.Subscribe, trees()...)
	}
}

// read lets the user read the log, and by consumers of its own names, which it asks
// JetStream itself for.
func (p *Permissions) read(u *User) {
	p.look(u)
	for slot := range TailSlots {
		name := Tail(u.Name, slot)
		p.consume(name)
		p.publish(api + "CONSUMER.DURABLE.CREATE." + log + "." + name) // as nats.py makes durable ones
		p.publish(acknowledging(name)...)
	}
	if u.Role != Launcher { // all of that goes over the link of a site, whose server takes no such list
		for n := range OrderedSlots {
			p.consume(ordered(u.Name, n+1))
		}
		for slot := range TailSlots {
			p.publish(flowing(Tail(u.Name, slot))...)
		}
		p.publish(api + "STREAM.NAMES") // libraries look there for who stores a subject
	}
}

// readBy lets the user read the log from an account of its own, where consumers may have
// any name because managers give them one that is the reader's. In the account of the log, where users are
// whose tokens are of before there were others, only JetStream would answer.
func (p *Permissions) readBy(a *Account, u *User) {
	if a.Main() {
		p.read(u)
		return
	}
	p.look(u)
	p.publish(readerSubjects()...)
	for _, name := range pulled(u.Name) {
		p.publish(api + "CONSUMER.MSG.NEXT." + log + "." + name)
	}
	for _, name := range acknowledged(u.Name) {
		p.publish(acknowledging(name)...)
	}
	p.publish(api+"STREAM.NAMES", api+"INFO") // libraries look there for who stores a subject, and whether there is JetStream
}

// forward lets a manager make, use and remove consumers for readers, and its own, but not
// the queues of launchers.
func (p *Permissions) forward(a *Account) {
	p.publish(
		api+"CONSUMER.CREATE."+log+".>", api+"CONSUMER.DURABLE.CREATE."+log+".*", api+"CONSUMER.INFO."+log+".*",
		api+"CONSUMER.DELETE."+log+".*", api+"CONSUMER.MSG.NEXT."+log+".*", "$JS.FC.>",
	)
	for _, resource := range a.Resources {
		name := log + "." + Queue(resource)
		p.DenyPublish = append(p.DenyPublish,
			api+"CONSUMER.CREATE."+name, api+"CONSUMER.CREATE."+name+".>", api+"CONSUMER.DURABLE.CREATE."+name,
			api+"CONSUMER.DELETE."+name, api+"CONSUMER.MSG.NEXT."+name,
		)
	}
}

// consume lets the user make, use and remove one consumer.
func (p *Permissions) consume(name string) {
	p.publish(
		api+"CONSUMER.CREATE."+log+"."+name, api+"CONSUMER.CREATE."+log+"."+name+".>",
		api+"CONSUMER.INFO."+log+"."+name, api+"CONSUMER.DELETE."+log+"."+name,
		api+"CONSUMER.MSG.NEXT."+log+"."+name,
	)
}

// acknowledging is where the messages of a consumer are acknowledged: servers with a
// domain write it the second way (ADR-15).
func acknowledging(name string) []string {
	return []string{"$JS.ACK." + log + "." + name + ".>", "$JS.ACK.*.*." + log + "." + name + ".>"}
}

// flowing is where it is said that what a consumer has pushed is taken, likewise.
func flowing(name string) []string {
	return []string{"$JS.FC." + log + "." + name + ".*", "$JS.FC.*.*." + log + "." + name + ".*"}
}

// hearsTrees says whether what is stored is heard in the user's account under the
// subjects of the log, too. Where launchers are, who write there, it would come twice.
func (u *User) hearsTrees() bool { return u.Role == Subscriber || u.Role == Client && u.Watch }

func (p *Permissions) lookUpLeases() {
	p.publish(api+"STREAM.INFO.KV_"+leases, api+"STREAM.MSG.GET.KV_"+leases)
}
