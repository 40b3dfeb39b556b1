package access

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/subject"
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
		{Subject: subject.UserPrefix + ">", ResponseThreshold: replyTimeout},
		{Subject: subject.ChangePrefix + ">"},
		{Subject: subject.NotePrefix + ">"},
		{Subject: subject.Lease(">")},
		{Subject: subject.AckPrefix + ">"},
		{Subject: subject.FlowPrefix + ">"},
		{Subject: subject.AccountInfo},
		{Subject: subject.StreamNames},
		{Subject: subject.StreamInfo("*")},
		{Subject: subject.MessageGet("*")},
		{Subject: subject.ReaderCreate.OfAnyReader()},
		{Subject: subject.ReaderDurable.OfAnyReader()},
		{Subject: subject.ReaderInfo.OfAnyReader()},
		{Subject: subject.ReaderDelete.OfAnyReader()},
		{Subject: subject.ReaderFlow.OfAnyReader()},
		{Subject: subject.ConsumerCreate + ".>"},
		{Subject: subject.ConsumerDurable + ".*"},
		{Subject: subject.ConsumerInfo + ".*"},
		{Subject: subject.ConsumerDelete + ".*"},
		{Subject: subject.ConsumerNext + ".*", Many: true},
		{Subject: subject.DirectGet, Many: true},
		{Subject: subject.DirectGet + ".>", Many: true},
	}
	return append(exports, Export{Subject: subject.Live(">"), Live: true})
}

// fleetSubject is where a site's launchers are asked; verb may be *.
func fleetSubject(site, verb string) string { return subject.Fleet(site+".*", verb) }

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
		return subject.OutputVerb
	default:
		return ""
	}
}

// isOwnSubject says whether no other account is asked there, or each site's by a name of
// its own.
func isOwnSubject(s string) bool {
	return strings.HasPrefix(s, subject.UserInboxPrefix) || strings.HasPrefix(s, subject.AgentPrefix) || strings.HasPrefix(s, subject.PollPrefix) || s == outputPattern()
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
	found[Import{From: a.Tenant, Subject: subject.AccountInfo, Local: subject.AccountInfo}] = true
	for _, u := range a.Users {
		p := a.Permissions(u)
		for _, s := range p.Publish {
			if !isOwnSubject(s) {
				found[Import{From: a.Tenant, Subject: u.exportedSubject(s), Local: s}] = true
			}
		}
		for _, s := range p.Subscribe {
			if from, ok := u.liveSource(s); ok {
				found[Import{From: a.Tenant, Subject: from, Local: s, Live: true}] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), compareImports)
}

// exportedSubject is the subject of the log's account to which what the user publishes leads.
func (u *User) exportedSubject(s string) string {
	if s == subject.API(">") {
		return u.requestSubjects()
	}
	if to, ok := subject.ForReader(u.Name, s); ok {
		return to
	}
	return withoutHub(s)
}

// liveSource is where the account of the log sends what the user hears on a subject in his own;
// false: nothing of the log is heard there. It is what was stored and nothing else: servers
// hand on to no other account what came from another one, as all does that launchers write
// (nats-server 2.15.2, client.go: processMsgResults lets no message of a service import
// into a stream import).
func (u *User) liveSource(s string) (from string, ok bool) {
	if s == subject.Live(">") || u.subscribesLog() && s == u.inboxSubjects() {
		return s, true
	}
	if slices.Contains(subject.Stored(), s) {
		return subject.Live(s), true
	}
	return "", false
}

func compareImports(a, b Import) int { return strings.Compare(a.Local, b.Local) }

// withoutHub undoes what ThroughLeaf does.
func withoutHub(s string) string {
	what, ok := strings.CutPrefix(s, subject.HubPrefix)
	switch {
	case !ok:
		return s
	case strings.HasPrefix(what, subject.KeyValuePrefix):
		return what
	default:
		return subject.JetStreamAPI + what
	}
}
