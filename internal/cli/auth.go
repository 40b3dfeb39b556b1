package cli

import (
	"cmp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/pilot"
)

// authDir is where credentials are kept unless told.
const authDir = "auth"

// authFlags are what the command line of auth says.
type authFlags struct {
	dir       string
	mode      string
	tenants   []string
	resources []string
	user      access.User
}

func (a *commandLine) authCommand() *cobra.Command {
	var f authFlags
	c := &cobra.Command{
		Use: "auth", Short: "Make and take away the credentials of the bus's users",
		Long: "Keep, in a directory, who may use the bus and as what: auth.conf is for nats.conf to\n" +
			"include, creds/NAME.nk (or .creds) for the process that is NAME, creds/NAME.env the\n" +
			"environment it needs, sites/NAME.conf for the server of a site that links. After a change, have the servers read it: nats-server --signal reload,\n" +
			"twice if anybody is new, or SIGHUP to flightlog up.\n" +
			"docs/security.md tells what each role may do. No service is asked, no seed is shown.",
	}
	c.PersistentFlags().StringVar(&f.dir, "dir", authDir, "`directory` of the credentials")
	c.AddCommand(a.authInit(&f), a.authAdd(&f), a.authRevoke(&f), a.authShow(&f))
	return c
}

func (a *commandLine) authInit(f *authFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "init", Short: "Make the directory, and the users of a usual installation", Args: cobra.NoArgs,
		Long: "Make the directory and, for each tenant, its admin, manager, client and subscriber, and a\n" +
			"launcher and an agent for each resource. Users that are there are left as they are.",
		Example: "  flightlog auth init --dir /etc/flightlog/auth --resource local.localhost",
		RunE: func(*cobra.Command, []string) error {
			a.parsed = true
			s, err := auth.Init(f.dir, auth.Mode(f.mode))
			if err != nil {
				return err
			}
			added, err := s.Add(f.usualUsers()...)
			if err != nil {
				return err
			}
			var changed []string
			of := accountsByUser(s)
			for i := range added {
				changed = append(changed, of[added[i].Name].Name)
			}
			a.warnSites(s, changed...)
			return a.printUsers(s, added)
		},
	}
	c.Flags().StringVar(&f.mode, "mode", string(auth.NKey), "nkey: users in the server's configuration; operator: users with tokens (JWT)")
	c.Flags().StringArrayVar(&f.tenants, "tenant", []string{access.DefaultTenant}, "`name` of an account; may be given again")
	c.Flags().StringArrayVar(&f.resources, "resource", []string{app.LocalResource}, "`resource` that has launchers; may be given again")
	return c
}

// usualUsers are the users of a usual installation.
func (f *authFlags) usualUsers() []access.User {
	var all []access.User
	for _, tenant := range f.tenants {
		for _, role := range []access.Role{access.Admin, access.Manager, access.Client, access.Subscriber} {
			all = append(all, access.User{Role: role, Tenant: tenant})
		}
		for _, label := range f.resources {
			for _, role := range []access.Role{access.Launcher, access.Agent} {
				all = append(all, access.User{Role: role, Tenant: tenant, Resource: label})
			}
		}
	}
	return all
}

func (a *commandLine) authAdd(f *authFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "add ROLE", Short: "Add a user", Args: cobra.ExactArgs(1),
		Long: "Add a manager, launcher, client, subscriber, agent, admin, or the leaf by which the server of a\n" +
			"site links. One that is there is left as it is; to rotate its credentials, revoke it first.\n" +
			"Every launcher process should have a user of its own (--name).",
		Example: "  flightlog auth add launcher --resource local.localhost --name launcher-2\n" +
			"  flightlog auth add leaf --site example\n" +
			"  flightlog auth add client --tenant physics --watch",
		RunE: func(_ *cobra.Command, args []string) error {
			a.parsed = true
			s, err := auth.Open(f.dir)
			if err != nil {
				return err
			}
			f.user.Role = access.Role(args[0])
			if _, err := s.Add(f.user); err != nil {
				return err
			}
			name := f.user.WithDefaults().Name
			a.warnSites(s, accountsByUser(s)[name].Name)
			return a.printUsers(s, selectUsers(s, name))
		},
	}
	c.Flags().StringVar(&f.user.Name, "name", "", "`name` of the user, unique over all tenants (default: role, tenant, resource or site)")
	c.Flags().StringVar(&f.user.Tenant, "tenant", access.DefaultTenant, "`name` of its account")
	c.Flags().StringVar(&f.user.Resource, "resource", "", "`resource` of a launcher or an agent")
	c.Flags().StringVar(&f.user.Site, "site", "", "`site` of a leaf")
	c.Flags().BoolVar(&f.user.Watch, "watch", false, "the client may read the log too, which 'watch' needs")
	return c
}

func (a *commandLine) authRevoke(f *authFlags) *cobra.Command {
	return &cobra.Command{
		Use: "revoke NAME…", Short: "Take users away", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			a.parsed = true
			s, err := auth.Open(f.dir)
			if err != nil {
				return err
			}
			before, of := selectUsers(s, args...), accountsByUser(s)
			if err := s.Revoke(args...); err != nil {
				return err
			}
			a.warnf("revoked once the servers have read %s again", s.ConfPath())
			var changed []string
			for i := range before {
				changed = append(changed, of[before[i].Name].Name)
				if before[i].Role == access.Leaf && s.Mode == auth.NKey {
					a.warnf("but the link of %s stays until the servers of the bus have been restarted, one after the other", before[i].Name)
				}
			}
			a.warnSites(s, changed...)
			return nil
		},
	}
}

// warnSites says which servers of sites must be told of a change in these accounts,
// once the bus knows it: a link has the rights that were there when it was made.
func (a *commandLine) warnSites(s *auth.Set, changed ...string) {
	for _, account := range s.Accounts() {
		for _, u := range account.Users {
			if u.Role == access.Leaf && slices.Contains(changed, account.Name) {
				a.warnf("once the bus has read auth.conf again, bring %s to the server of site %s, and restart it", s.SiteConfPath(u.Name), u.Site)
			}
		}
	}
}

// accountsByUser gives the account of each user.
func accountsByUser(s *auth.Set) map[string]*access.Account {
	found := map[string]*access.Account{}
	for _, account := range s.Accounts() {
		for _, u := range account.Users {
			found[u.Name] = account
		}
	}
	return found
}

// selectUsers gives the users of these names; of none: all.
func selectUsers(s *auth.Set, names ...string) []auth.Entry {
	return slices.DeleteFunc(slices.Clone(s.Users), func(e auth.Entry) bool {
		return len(names) > 0 && !slices.Contains(names, e.Name)
	})
}

func (a *commandLine) authShow(f *authFlags) *cobra.Command {
	return &cobra.Command{
		Use: "show [NAME…]", Short: "Show users, and with -o json what they may do",
		RunE: func(_ *cobra.Command, args []string) error {
			a.parsed = true
			s, err := auth.Open(f.dir)
			if err != nil {
				return err
			}
			users := selectUsers(s, args...)
			for _, name := range args {
				if !slices.ContainsFunc(users, func(e auth.Entry) bool { return e.Name == name }) {
					return pilot.Errorf(pilot.NotFound, "there is no user %.80q", name)
				}
			}
			return a.printUsers(s, users)
		},
	}
}

// shownUser is a user as it is shown: without a secret.
type shownUser struct {
	auth.Entry
	Account     string   `json:"account"`
	Credentials string   `json:"credentials"`         // the file
	SiteConf    string   `json:"site_conf,omitempty"` // of leafs: for the server of the site
	InboxPrefix string   `json:"inbox_prefix"`
	Publish     []string `json:"publish"`
	Subscribe   []string `json:"subscribe"`
}

func (a *commandLine) printUsers(s *auth.Set, users []auth.Entry) error {
	all, r, of := make([]shownUser, len(users)), result{}, accountsByUser(s)
	for i := range users {
		home := of[users[i].Name]
		p := home.Permissions(&users[i].User)
		all[i] = shownUser{users[i], home.Name, s.CredentialsPath(users[i].Name), "", users[i].InboxPrefix(), p.Publish, p.Subscribe}
		if users[i].Role == access.Leaf {
			all[i].SiteConf = s.SiteConfPath(users[i].Name)
		}
		r.names = append(r.names, users[i].Name)
	}
	r.value = all
	r.text = func(p *printer) {
		rows := make([][]string, len(all))
		for i := range all {
			u := &all[i]
			rows[i] = []string{u.Name, string(u.Role), u.Account, cmp.Or(u.Resource, u.Site, "-"), u.Created.Format("2006-01-02"), u.Credentials}
		}
		p.writeTable([]string{"NAME", "ROLE", "ACCOUNT", "RESOURCE", "SINCE", "CREDENTIALS"}, rows)
	}
	return a.printResult(r)
}
