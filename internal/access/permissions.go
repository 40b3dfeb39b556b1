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

// replyTimeout outlasts the longest request of the API.
const replyTimeout = 15 * time.Minute

// Names of package bus; a test on a real server holds the two together.
const (
	logStream   = "PILOTS"
	leaseBucket = "PILOTS_LEASES"
	apiPrefix   = "$JS.API."
	hubPrefix   = "$JS.hub.API."
)

// agentPrefix is what subjects begin with at which agents ask.
const agentPrefix = "pilots.agent."

// livePrefix is what the subjects begin with under which the log sends what it has stored:
// live, and behind it the subject without pilots.
const livePrefix = "pilots.live."

// outputSubject is where launchers are asked what a payload prints.
const outputSubject = "pilots.fleet.*.*.output"

// TailSlots is how many consumers a user may have to read the log with.
const TailSlots = 8

// TailConsumer is the name of one of a user's consumers of the log, durable or not.
func TailConsumer(user string, slot int) string { return tailPrefix(user) + "-" + strconv.Itoa(slot) }

// tailPrefix is what the names of a user's consumers begin with.
func tailPrefix(user string) string { return "tail-" + user }

// OrderedSlots is how many ordered consumers of the client libraries a user in the account of
// the log may make one after the other. They count on with each interruption (nats.go 1.55.0,
// ordered.go: getConsumerConfig makes <prefix>_<n>), and begin anew with the program.
const OrderedSlots = 32

// orderedConsumer is the name of one of them; the prefix that the reader gives is tails.
func orderedConsumer(user string, n int) string { return tailPrefix(user) + "_" + strconv.Itoa(n) }

// QueueConsumer is the name of the consumer that launchers of a resource share. No token has
// a =, so that names differ as resources do.
func QueueConsumer(resource string) string {
	return "launcher-" + strings.ReplaceAll(resource, ".", "=")
}

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
		p.addPublish(apiSubjects, outputSubject)
		if u.Watch {
			p.readBy(a, u)
		}
	case Subscriber:
		p.readBy(a, u)
	case Agent:
		for _, verb := range []string{"activate", "beat", "finish"} {
			p.addPublish(agentPrefix + u.Resource + ".*.*." + verb)
		}
	case Leaf:
		p.addLeaf(a, u)
	case Admin:
		p = Permissions{
			Publish: []string{">"}, Subscribe: []string{">"}, DenyPublish: []string{userRequestPrefix + ">", AnyReader}, DenySubscribe: []string{agentPrefix + ">"},
		}
	}
	return p.sortedUnique()
}

func (p *Permissions) addPublish(subjects ...string) { p.Publish = append(p.Publish, subjects...) }

// logSubjects are what the log stores.
func logSubjects() []string {
	return []string{"pilots.cmd.>", "pilots.evt.>", "pilots.note.>", "pilots.mgr.>", "pilots.ses.>", "pilots.res.>"}
}

func (p *Permissions) addManager(a *Account, u *User) {
	p.addReader(u)
	p.forward(a)
	p.addPublish(logSubjects()...)
	// It makes log and leases where there are none; to change them takes an admin.
	p.addPublish(apiPrefix+"INFO", apiPrefix+"STREAM.CREATE."+logStream, apiPrefix+"STREAM.CREATE.KV_"+leaseBucket)
	p.addLeaseReader()
	p.addPublish(apiSubjects, u.requestSubjects(), outputSubject) // the live page asks, as the user that it is
	p.Subscribe = append(p.Subscribe, apiSubjects, userRequestPrefix+">", AnyReader, "$SRV.>")
	p.Respond = replyTimeout
}

func (p *Permissions) addLauncher(u *User) {
	site := u.siteName()
	p.addReader(u)
	p.addLeaseReader()
	p.addPublish(
		"pilots.evt."+u.Resource+".>", "pilots.note."+u.Resource+".>",
		"$KV."+leaseBucket+".launcher."+u.Resource+".*", "$KV."+leaseBucket+".poll."+site+".*",
		"pilots.poll."+site+".*",
	)
	queue := QueueConsumer(u.Resource)
	p.addPublish(
		apiPrefix+"CONSUMER.CREATE."+logStream+"."+queue+".pilots.cmd."+u.Resource+".*.*.submit",
		apiPrefix+"CONSUMER.INFO."+logStream+"."+queue,
		apiPrefix+"CONSUMER.MSG.NEXT."+logStream+"."+queue,
	)
	p.addPublish(ackSubjects(queue)...)
	p.Subscribe = append(p.Subscribe,
		agentPrefix+u.Resource+".*.*.*", "pilots.fleet."+u.Resource+".*", "pilots.poll."+site+".*")
	p.Respond = replyTimeout
}

// ThroughLeaf adds what a site's server makes of the JetStream API: a leaf node
// passes it on under the name of the hub only (deploy/nats/leaf.conf).
func (p Permissions) ThroughLeaf() Permissions {
	for _, subject := range p.Publish {
		if what, ok := strings.CutPrefix(subject, apiPrefix); ok {
			p.addPublish(hubPrefix + what)
		} else if strings.HasPrefix(subject, "$KV.") {
			p.addPublish(hubPrefix + subject)
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
	p.Subscribe = slices.DeleteFunc(p.Subscribe, func(subject string) bool {
		return strings.HasPrefix(subject, agentPrefix) || strings.HasPrefix(subject, livePrefix)
	})
}

// look lets the user read the log by position or subject, and live.
func (p *Permissions) look(u *User) {
	p.addPublish(
		apiPrefix+"STREAM.INFO."+logStream, apiPrefix+"STREAM.MSG.GET."+logStream, apiPrefix+"DIRECT.GET."+logStream, apiPrefix+"DIRECT.GET."+logStream+".>",
	)
	p.Subscribe = append(p.Subscribe, livePrefix+">")
	if u.subscribesLog() {
		p.Subscribe = append(p.Subscribe, logSubjects()...)
	}
}

// addReader lets the user read the log, and by consumers of its own names, which it asks
// JetStream itself for.
func (p *Permissions) addReader(u *User) {
	p.look(u)
	for slot := range TailSlots {
		name := TailConsumer(u.Name, slot)
		p.addConsumer(name)
		p.addPublish(apiPrefix + "CONSUMER.DURABLE.CREATE." + logStream + "." + name) // as nats.py makes durable ones
		p.addPublish(ackSubjects(name)...)
	}
	if u.Role != Launcher { // all of that goes over the link of a site, whose server takes no such list
		for n := range OrderedSlots {
			p.addConsumer(orderedConsumer(u.Name, n+1))
		}
		for slot := range TailSlots {
			p.addPublish(flowControlSubjects(TailConsumer(u.Name, slot))...)
		}
		p.addPublish(apiPrefix + "STREAM.NAMES") // libraries look there for who stores a subject
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
		p.addPublish(apiPrefix + "CONSUMER.MSG.NEXT." + logStream + "." + name)
	}
	for _, name := range acknowledged(u.Name) {
		p.addPublish(ackSubjects(name)...)
	}
	p.addPublish(apiPrefix+"STREAM.NAMES", apiPrefix+"INFO") // libraries look there for who stores a subject, and whether there is JetStream
}

// forward lets a manager make, use and remove consumers for readers, and its own, but not
// the queues of launchers.
func (p *Permissions) forward(a *Account) {
	p.addPublish(
		apiPrefix+"CONSUMER.CREATE."+logStream+".>", apiPrefix+"CONSUMER.DURABLE.CREATE."+logStream+".*", apiPrefix+"CONSUMER.INFO."+logStream+".*",
		apiPrefix+"CONSUMER.DELETE."+logStream+".*", apiPrefix+"CONSUMER.MSG.NEXT."+logStream+".*", "$JS.FC.>",
	)
	for _, resource := range a.Resources {
		name := logStream + "." + QueueConsumer(resource)
		p.DenyPublish = append(p.DenyPublish,
			apiPrefix+"CONSUMER.CREATE."+name, apiPrefix+"CONSUMER.CREATE."+name+".>", apiPrefix+"CONSUMER.DURABLE.CREATE."+name,
			apiPrefix+"CONSUMER.DELETE."+name, apiPrefix+"CONSUMER.MSG.NEXT."+name,
		)
	}
}

// addConsumer lets the user make, use and remove one consumer.
func (p *Permissions) addConsumer(name string) {
	p.addPublish(
		apiPrefix+"CONSUMER.CREATE."+logStream+"."+name, apiPrefix+"CONSUMER.CREATE."+logStream+"."+name+".>",
		apiPrefix+"CONSUMER.INFO."+logStream+"."+name, apiPrefix+"CONSUMER.DELETE."+logStream+"."+name,
		apiPrefix+"CONSUMER.MSG.NEXT."+logStream+"."+name,
	)
}

// ackSubjects gives the subjects at which the messages of a consumer are acknowledged; servers
// with a domain use the second form (ADR-15). The words are counted, for an acknowledgement may
// ask for the next message: were the second form open at its end, the first form of any other
// consumer would fit it, with this one's name in place of numbers. (nats-server 2.15.2,
// consumer.go: ackSubjOld has nine words, ackSubj eleven or more.)
func ackSubjects(name string) []string {
	return []string{"$JS.ACK." + logStream + "." + name + ".*.*.*.*.*", "$JS.ACK.*.*." + logStream + "." + name + ".*.*.*.*.>"}
}

// flowControlSubjects is where it is said that what a consumer has pushed is taken, likewise.
func flowControlSubjects(name string) []string {
	return []string{"$JS.FC." + logStream + "." + name + ".*", "$JS.FC.*.*." + logStream + "." + name + ".*"}
}

// subscribesLog says whether what is stored is heard in the user's account under the
// subjects of the log, too. Where launchers are, who write there, it would come twice.
func (u *User) subscribesLog() bool { return u.Role == Subscriber || u.Role == Client && u.Watch }

func (p *Permissions) addLeaseReader() {
	p.addPublish(apiPrefix+"STREAM.INFO.KV_"+leaseBucket, apiPrefix+"STREAM.MSG.GET.KV_"+leaseBucket)
}
