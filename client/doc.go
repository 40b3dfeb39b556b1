// Package client is what other services import to work with pilots.
//
//	c, err := client.Connect(ctx, "nats://127.0.0.1:4222")
//	m, err := c.CreateManager(ctx, client.ManagerOptions{})
//	pilots, err := m.Submit(ctx, pilot.Description{
//		Resource: "local.localhost", Runtime: pilot.Runtime(time.Hour), Cores: 1,
//		Executable: "hostname",
//	})
//	ended, err := pilots[0].Wait(ctx, client.WaitOptions{})
//
// A Session, a Manager and a Pilot are handles: they hold names and nothing
// else. The pilots live in the log, so nothing happens to them when a client
// goes away, and whoever knows the names goes on where it stopped.
//
// Promises:
//
//   - Every call is repeated, with growing pauses, while the service is away or
//     does not answer, until its context ends; a context without a deadline
//     gets one of 30 s. That is safe, for every call that changes something
//     carries a key by which the service knows it again.
//   - A client reads what it wrote, and never reads backwards, whichever
//     replica answers.
//   - Errors carry a pilot.Code, see pilot.CodeOf: invalid names every fault,
//     not_found, conflict, closed, unavailable, timeout, denied.
//   - Watch and OnState show every change of a pilot once and in the order of
//     the log, over restarts of the service and of the bus.
//
// All methods may be called from many goroutines at once.
package client
