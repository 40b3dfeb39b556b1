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
		return u.Tenant + "=site=" + u.siteName()
	case Client, Subscriber:
		return u.Tenant + "=user=" + u.Name
	default:
		return u.Tenant
	}
}

func (u *User) siteName() string {
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
	Subject           string
	Live              bool
	Many              bool          // a request may have any number of answers
	ResponseThreshold time.Duration // how long the next answer may take; 0: the server's two minutes
}

// tenantExports are what tenants let others import. No two of a kind overlap: the
// server would take any of them.
func tenantExports() []Export {
	exports := []Export{
		{Subject: userRequestPrefix + ">", ResponseThreshold: replyTimeout},
		{Subject: "pilots.evt.>"},
		{Subject: "pilots.note.>"},
		{Subject: "$KV." + leaseBucket + ".>"},
		{Subject: "$JS.ACK.>"},
		{Subject: "$JS.FC.>"},
		{Subject: apiPrefix + "INFO"},
		{Subject: apiPrefix + "STREAM.NAMES"},
		{Subject: apiPrefix + "STREAM.INFO.*"},
		{Subject: apiPrefix + "STREAM.MSG.GET.*"},
		{Subject: readers + string(ReaderCreate) + ".>"},
		{Subject: readers + string(ReaderDurable) + ".>"},
		{Subject: readers + string(ReaderInfo) + ".>"},
		{Subject: readers + string(ReaderDelete) + ".>"},
		{Subject: readers + string(ReaderFlow) + ".>"},
		{Subject: apiPrefix + "CONSUMER.CREATE." + logStream + ".>"},
		{Subject: apiPrefix + "CONSUMER.DURABLE.CREATE." + logStream + ".*"},
		{Subject: apiPrefix + "CONSUMER.INFO." + logStream + ".*"},
		{Subject: apiPrefix + "CONSUMER.DELETE." + logStream + ".*"},
		{Subject: apiPrefix + "CONSUMER.MSG.NEXT." + logStream + ".*", Many: true},
		{Subject: apiPrefix + "DIRECT.GET." + logStream, Many: true},
		{Subject: apiPrefix + "DIRECT.GET." + logStream + ".>", Many: true},
	}
	return append(exports, Export{Subject: livePrefix + ">", Live: true})
}

// fleetSubject is where a site's launchers are asked; verb may be *.
func fleetSubject(site, verb string) string { return "pilots.fleet." + site + ".*." + verb }

// Account is an account of NATS with all its users.
type Account struct {
	Name      string
	Tenant    string
	Users     []*User
	Resources []string // of the tenant's launchers, whose queues are nobody else's; of its own account only
}

// IsMain says whether it is the tenant's own, which holds the log.
func (a *Account) IsMain() bool { return a.Name == a.Tenant }

// launcherSites are those whose launchers are in the account.
func (a *Account) launcherSites() []string {
	var sites []string
	for _, u := range a.Users {
		if u.Role == Launcher && !slices.Contains(sites, u.siteName()) {
			sites = append(sites, u.siteName())
		}
	}
	return sites
}

// fleetVerb is what the account may ask launchers of other accounts: anything, *, or the
// one verb; empty: nothing.
func (a *Account) fleetVerb() string {
	switch {
	case a.IsMain():
		return "*"
	case slices.ContainsFunc(a.Users, func(u *User) bool { return u.Role == Client }):
		return outputSubject[strings.LastIndexByte(outputSubject, '.')+1:]
	default:
		return ""
	}
}

// isOwnSubject says whether no other account is asked there, or each site's by a name of
// its own.
func isOwnSubject(subject string) bool {
	return strings.HasPrefix(subject, inboxPrefix) || strings.HasPrefix(subject, agentPrefix) || strings.HasPrefix(subject, "pilots.poll.") || subject == outputSubject
}

// Exports gives what others may import of the account, all being all accounts.
func (a *Account) Exports(all []*Account) []Export {
	var exports []Export
	if a.IsMain() {
		exports = append(tenantExports(), a.inboxExports(all)...)
	}
	for _, site := range a.launcherSites() {
		exports = append(exports, Export{Subject: fleetSubject(site, "*"), ResponseThreshold: replyTimeout})
	}
	return exports
}

// inboxExports are the inboxes of readers in other accounts: consumers that push send there, in
// the account of the log.
func (a *Account) inboxExports(all []*Account) []Export {
	var exports []Export
	for _, other := range all {
		if other.Tenant != a.Tenant || other.IsMain() {
			continue
		}
		for _, u := range other.Users {
			if u.subscribesLog() {
				exports = append(exports, Export{Subject: u.inboxSubjects(), Live: true})
			}
		}
	}
	return exports
}

// Imports gives what the account needs of others, all being all accounts.
func (a *Account) Imports(all []*Account) []Import {
	found := map[Import]bool{}
	for _, other := range all {
		if verb := a.fleetVerb(); verb != "" && other.Tenant == a.Tenant && other.Name != a.Name {
			for _, site := range other.launcherSites() {
				found[Import{From: other.Name, Subject: fleetSubject(site, verb), Local: fleetSubject(site, verb)}] = true
			}
		}
	}
	if a.IsMain() {
		return slices.SortedFunc(maps.Keys(found), compareImports)
	}
	// With it a server answers the account's other requests to JetStream no more,
	// which would be that it has none (nats-server 2.15.2, jetstream.go:
	// enableJetStreamInfoServiceImportOnly).
	found[Import{From: a.Tenant, Subject: apiPrefix + "INFO", Local: apiPrefix + "INFO"}] = true
	for _, u := range a.Users {
		p := a.Permissions(u)
		for _, subject := range p.Publish {
			if !isOwnSubject(subject) {
				found[Import{From: a.Tenant, Subject: u.exportedSubject(subject), Local: subject}] = true
			}
		}
		for _, subject := range p.Subscribe {
			if from, ok := u.liveSource(subject); ok {
				found[Import{From: a.Tenant, Subject: from, Local: subject, Live: true}] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), compareImports)
}

// exportedSubject is the subject of the log's account to which what the user publishes leads.
func (u *User) exportedSubject(subject string) string {
	if subject == apiSubjects {
		return u.requestSubjects()
	}
	if to, ok := u.toReader(subject); ok {
		return to
	}
	return withoutHub(subject)
}

// liveSource is where the account of the log sends what the user hears on a subject in his own;
// false: nothing of the log is heard there. It is what was stored and nothing else: servers
// hand on to no other account what came from another one, as all does that launchers write
// (nats-server 2.15.2, client.go: processMsgResults lets no message of a service import
// into a stream import).
func (u *User) liveSource(subject string) (from string, ok bool) {
	if subject == livePrefix+">" || u.subscribesLog() && subject == u.inboxSubjects() {
		return subject, true
	}
	if slices.Contains(logSubjects(), subject) {
		return livePrefix + strings.TrimPrefix(subject, "pilots."), true
	}
	return "", false
}

func compareImports(a, b Import) int { return strings.Compare(a.Local, b.Local) }

// withoutHub undoes what ThroughLeaf does.
func withoutHub(subject string) string {
	what, ok := strings.CutPrefix(subject, hubPrefix)
	switch {
	case !ok:
		return subject
	case strings.HasPrefix(what, "$KV."):
		return what
	default:
		return apiPrefix + what
	}
}
