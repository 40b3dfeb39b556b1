package access

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Account is the account of NATS that the user is in. Managers and admins are in
// that of the tenant, which holds the log; launchers and agents of a site, and the
// server by which it links, share one, every other user has one of its own. From
// there exactly the subjects that its users may use lead to the tenant's.
//
// For permissions say what a client may publish, and nothing of where a server
// answers: an answer goes to whatever subject the request names, in the account of
// who asks. Where that is the log's own, whoever reads a message has it stored
// under another subject, or taken for a request to JetStream.
// (nats-server 2.15.2, client.go: processServiceImport gives a request an inbox of
// the server's in the account that answers, and takes the answer back from there.)
func (u *User) Account() string {
	switch u.Role {
	case Launcher, Agent, Leaf:
		return u.Tenant + "=site=" + u.site()
	case Client, Subscriber:
		return u.Tenant + "=user=" + u.Name
	default:
		return u.Tenant
	}
}

func (u *User) site() string {
	if u.Role == Leaf {
		return u.Site
	}
	site, _, _ := strings.Cut(u.Resource, ".")
	return site
}

// Import lets an account reach a subject of another one.
type Import struct {
	From    string // the account
	Subject string // there
	Local   string // here
	Live    bool   // what is published there is heard here; else what is asked here is answered there
}

// Export lets other accounts import a subject.
type Export struct {
	Subject  string
	Live     bool
	Many     bool          // a request may have any number of answers
	Patience time.Duration // how long the next answer may take; 0: the server's two minutes
}

// tenantExports are what tenants let others import. No two of a kind overlap: the
// server would take any of them.
func tenantExports() []Export {
	exports := []Export{
		{Subject: askers + ">", Patience: respond},
		{Subject: "pilots.evt.>"},
		{Subject: "pilots.note.>"},
		{Subject: "$KV." + leases + ".>"},
		{Subject: "$JS.ACK.>"},
		{Subject: "$JS.FC.>"},
		{Subject: api + "INFO"},
		{Subject: api + "STREAM.NAMES"},
		{Subject: api + "STREAM.INFO.*"},
		{Subject: api + "STREAM.MSG.GET.*"},
		{Subject: readers + string(ReaderCreate) + ".>"},
		{Subject: readers + string(ReaderDurable) + ".>"},
		{Subject: readers + string(ReaderInfo) + ".>"},
		{Subject: readers + string(ReaderDelete) + ".>"},
		{Subject: readers + string(ReaderFlow) + ".>"},
		{Subject: api + "CONSUMER.CREATE." + log + ".>"},
		{Subject: api + "CONSUMER.DURABLE.CREATE." + log + ".*"},
		{Subject: api + "CONSUMER.INFO." + log + ".*"},
		{Subject: api + "CONSUMER.DELETE." + log + ".*"},
		{Subject: api + "CONSUMER.MSG.NEXT." + log + ".*", Many: true},
		{Subject: api + "DIRECT.GET." + log, Many: true},
		{Subject: api + "DIRECT.GET." + log + ".>", Many: true},
	}
	return append(exports, Export{Subject: live + ">", Live: true})
}

// fleetOf is where a site's launchers are asked; verb may be *.
func fleetOf(site, verb string) string { return "pilots.fleet." + site + ".*." + verb }

// Account is an account of NATS with all its users.
type Account struct {
	Name      string
	Tenant    string
	Users     []*User
	Resources []string // of the tenant's launchers, whose queues are nobody else's; of its own account only
}

// Main says whether it is the tenant's own, which holds the log.
func (a *Account) Main() bool { return a.Name == a.Tenant }

// sites are those whose launchers are in the account.
func (a *Account) sites() []string {
	var sites []string
	for _, u := range a.Users {
		if u.Role == Launcher && !slices.Contains(sites, u.site()) {
			sites = append(sites, u.site())
		}
	}
	return sites
}

// asks is what the account may ask launchers of other accounts: anything, *, or the
// one verb; empty: nothing.
func (a *Account) asks() string {
	switch {
	case a.Main():
		return "*"
	case slices.ContainsFunc(a.Users, func(u *User) bool { return u.Role == Client }):
		return output[strings.LastIndexByte(output, '.')+1:]
	default:
		return ""
	}
}

// inside says whether no other account is asked there, or each site's by a name of
// its own.
func inside(subject string) bool {
	return strings.HasPrefix(subject, inboxes) || strings.HasPrefix(subject, agents) || strings.HasPrefix(subject, "pilots.poll.") || subject == output
}

// Exports gives what others may import of the account, all being all accounts.
func (a *Account) Exports(all []*Account) []Export {
	var exports []Export
	if a.Main() {
		exports = append(tenantExports(), a.pushes(all)...)
	}
	for _, site := range a.sites() {
		exports = append(exports, Export{Subject: fleetOf(site, "*"), Patience: respond})
	}
	return exports
}

// pushes are the inboxes of readers in other accounts: consumers that push send there, in
// the account of the log.
func (a *Account) pushes(all []*Account) []Export {
	var exports []Export
	for _, other := range all {
		if other.Tenant != a.Tenant || other.Main() {
			continue
		}
		for _, u := range other.Users {
			if u.hearsTrees() {
				exports = append(exports, Export{Subject: u.inbox(), Live: true})
			}
		}
	}
	return exports
}

// Imports gives what the account needs of others, all being all accounts.
func (a *Account) Imports(all []*Account) []Import {
	found := map[Import]bool{}
	for _, other := range all {
		if verb := a.asks(); verb != "" && other.Tenant == a.Tenant && other.Name != a.Name {
			for _, site := range other.sites() {
				found[Import{From: other.Name, Subject: fleetOf(site, verb), Local: fleetOf(site, verb)}] = true
			}
		}
	}
	if a.Main() {
		return slices.SortedFunc(maps.Keys(found), compare)
	}
	// With it a server answers the account's other requests to JetStream no more,
	// which would be that it has none (nats-server 2.15.2, jetstream.go:
	// enableJetStreamInfoServiceImportOnly).
	found[Import{From: a.Tenant, Subject: api + "INFO", Local: api + "INFO"}] = true
	for _, u := range a.Users {
		p := a.Permissions(u)
		for _, subject := range p.Publish {
			if !inside(subject) {
				found[Import{From: a.Tenant, Subject: u.there(subject), Local: subject}] = true
			}
		}
		for _, subject := range p.Subscribe {
			if from, ok := u.heard(subject); ok {
				found[Import{From: a.Tenant, Subject: from, Local: subject, Live: true}] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), compare)
}

// there is the subject of the log's account to which what the user publishes leads.
func (u *User) there(subject string) string {
	if subject == asking {
		return u.asks()
	}
	if to, ok := u.toReader(subject); ok {
		return to
	}
	return atHub(subject)
}

// heard is where the account of the log sends what the user hears on a subject in his own;
// false: nothing of the log is heard there. It is what was stored and nothing else: servers
// hand on to no other account what came from another one, as all does that launchers write
// (nats-server 2.15.2, client.go: processMsgResults lets no message of a service import
// into a stream import).
func (u *User) heard(subject string) (from string, ok bool) {
	if subject == live+">" || u.hearsTrees() && subject == u.inbox() {
		return subject, true
	}
	if slices.Contains(trees(), subject) {
		return live + strings.TrimPrefix(subject, "pilots."), true
	}
	return "", false
}

func compare(a, b Import) int { return strings.Compare(a.Local, b.Local) }

// atHub undoes what ThroughLeaf does.
func atHub(subject string) string {
	what, ok := strings.CutPrefix(subject, hub)
	switch {
	case !ok:
		return subject
	case strings.HasPrefix(what, "$KV."):
		return what
	default:
		return api + what
	}
}
