package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/internal/web"
	"github.com/flightlog/flightlog/pilot"
)

func (a *commandLine) pageCommand() *cobra.Command {
	return &cobra.Command{
		Use: "page", Short: "Print a link to the live page that signs you in once", Args: cobra.NoArgs,
		Long: "Print a link to the live page of your 'flightlog up' at --url. Who uses it first, within an\n" +
			"hour, is signed in. No service is asked: the credentials of its owner make it.",
		RunE: func(*cobra.Command, []string) error {
			a.parsed = true
			at := firstNonEmpty(a.bus.URL, bus.DefaultURL)
			s, err := owner.FindService(a.getenv, at)
			switch {
			case err != nil:
				return err
			case s == nil:
				return pilot.Errorf(pilot.Unavailable, "no 'flightlog up' of yours runs at %s; --url says where else", at)
			case s.Page == "":
				return pilot.Errorf(pilot.NotFound, "the service at %s shows no page; start it with 'flightlog up --http 127.0.0.1:8080'", s.URL)
			}
			link := s.Page
			if s.Run != "" {
				token, err := s.ReadToken()
				if err != nil {
					return err
				}
				link = web.NewLink(s.Page, token, s.Run, time.Now())
			}
			return a.printResult(result{value: map[string]string{"url": link}, names: []string{link}, text: func(p *printer) { p.writeLine("%s", link) }})
		},
	}
}
