package bus

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// ListingHandler answers one question about an endpoint of a batch system.
// Neither it nor the answer is looked into here.
type ListingHandler = func(ctx context.Context, question []byte) ([]byte, error)

const (
	listingConcurrency = 256     // answered at once
	listingHeaderRoom  = 1 << 10 // bytes that an answer's headers may take of a message
)

// checkEndpointName checks the name of an endpoint, <site>.<name>: launchers of one
// site must not answer those of another.
func checkEndpointName(s string) error {
	if !pilot.ValidResourceName(s) {
		return pilot.Errorf(pilot.Invalid, "endpoint %.150q is not <site>.<name>, each of which %s", s, pilot.TokenRule)
	}
	return nil
}

// ServeListings answers questions about an endpoint until ctx ends. Handlers
// get ctx. Code unsupported goes to who asked instead of an answer that is
// larger than a message of this bus.
func (c *Conn) ServeListings(ctx context.Context, endpoint string, handle ListingHandler) error {
	if err := checkEndpointName(endpoint); err != nil {
		return err
	}
	return c.serveSubject(ctx, responder{
		subject: subject.Poll(endpoint), limit: listingConcurrency,
		handle: func(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
			data, err := handle(ctx, m.Data)
			if most := int(c.nc.MaxPayload()) - listingHeaderRoom; err == nil && len(data) > most {
				err = pilot.Errorf(pilot.Unsupported, "a listing of %d bytes, %d fit into a message", len(data), most)
			}
			if err != nil {
				return encodeError(encodingJSON, classify("answer", err)), nil // who asks logs it
			}
			return &nats.Msg{Data: data}, nil
		},
	})
}

// AskListing asks whoever serves listings of an endpoint. Code unavailable:
// nobody does; timeout: no answer came before ctx or the connection ended.
func (c *Conn) AskListing(ctx context.Context, endpoint string, question []byte) ([]byte, error) {
	if err := checkEndpointName(endpoint); err != nil {
		return nil, err
	}
	m, err := c.sendRequest(ctx, &nats.Msg{Subject: subject.Poll(endpoint), Data: question})
	if err != nil {
		return nil, classify("ask for a listing", err)
	}
	if m.Header.Get(micro.ErrorCodeHeader) != "" {
		_, err := decodeReply(m, nil)
		return nil, err
	}
	return m.Data, nil
}
